"""The options of the command line, the ini file and the environment, with their help texts."""

VALUES = {
    "min_score": "smallest score that assert_similar lets pass (0.99)",
    "known_score": "from which score on two pictures are the same (the verdict of the service)",
    "margin": "how far assert_nearest wants the expected image ahead (0)",
    "pixels": "largest share of differing pixels that assert_similar lets pass, or off (off)",
    "collection": "what is searched (default)",
    "baselines": "folder of baselines, beside each test file unless absolute (__visual__)",
    "report": "folder of pictures and report (visual-report)",
    "offline": "skip or fail where the service does not answer (fail)",
}
