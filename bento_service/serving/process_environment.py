"""The environment variables that every process of a service must start with.

Libraries read them when they are loaded, so they are set before Python starts: by BentoML for the
serving processes, and by `python -m bento_service` for the process that starts those. Variables
that the operator has set are kept.
"""

# OpenBLAS and OpenMP start a thread for every core in each process. Those threads spin while they
# wait for the next matrix product, which takes tens of milliseconds of a core from the engine after
# every search. The products are small; onnxruntime and PyTorch have their own thread settings.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# These settings return freed memory to the system. Without a threshold glibc keeps more memory the
# larger the freed blocks are; Arrow's own allocator, which Milvus Lite uses, keeps even more.
_ALLOCATORS = {"MALLOC_TRIM_THRESHOLD_": "131072", "ARROW_DEFAULT_MEMORY_POOL": "system"}
SERVING = ONE_THREAD | _ALLOCATORS
"""The environment variables of the serving processes."""
