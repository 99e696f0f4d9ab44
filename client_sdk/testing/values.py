"""The options of the command line, the ini file and the environment, with their help texts."""

VALUES = {
    "min_score": "smallest score that passes assert_looks_like (0.99)",
    "collection": "collection to search (default)",
    "baselines": "folder of baselines, next to each test file; {platform} is replaced (__visual__)",
    "report": "folder of pictures and report (visual-report)",
    "offline": "skip or fail if the service does not answer (fail)",
}
