// Stub of the engine's Core and CoreUObject: exactly what the plugin uses, written from the public API documentation.
// It proves the plugin against our reading of that documentation, not against the engine.

#pragma once

#include "core_delegates.h"
#include "core_maths.h"
#include "core_modules.h"
#include "core_objects.h"
#include "core_types.h"
