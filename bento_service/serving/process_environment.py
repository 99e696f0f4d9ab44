"""The environment that every process of a service has to be started with.

Libraries read it when they are loaded, so it is set before Python starts: BentoML does it for the
processes that serve, `python -m bento_service` for the one that starts them. What the operator has
set himself is kept.
"""

# OpenBLAS and OpenMP give each process a thread for every core, and those threads wait for the
# next matrix product by spinning: tens of milliseconds of a core after every search, which the
# engine lacks. The products are small, and onnxruntime and PyTorch are told their threads.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# So that freed memory goes back to the system: glibc keeps the more, the larger the blocks are that
# were freed, unless it is told how much; Arrow's own allocator, under Milvus Lite, keeps even more.
_ALLOCATORS = {"MALLOC_TRIM_THRESHOLD_": "131072", "ARROW_DEFAULT_MEMORY_POOL": "system"}
SERVING = ONE_THREAD | _ALLOCATORS
"""Of the processes that serve."""
