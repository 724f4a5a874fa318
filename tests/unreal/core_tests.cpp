// All tests of MotionBridgeCore as one translation unit: doctest's header is most of the time it takes to compile.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#define DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS
#include <doctest/doctest.h>

#include "test_codec.cpp"
#include "test_retarget.cpp"
#include "test_restore.cpp"
#include "test_session.cpp"
#include "test_stream.cpp"
