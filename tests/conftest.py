import os

# The tests run beside each other and beside other work; torch's thread pools only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
