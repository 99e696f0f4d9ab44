"""Checks before the start of any process, so that a failure does not restart them endlessly."""

from bento_service.api.auth.loopback import is_loopback
from bento_service.api.auth.tokens import Tokens
from bento_service.settings import Settings, SettingsError
from bento_service.storage.data_folder import sole_user


def check_start(settings: Settings) -> None:
    """Check the tokens, the address and the data folder.

    Raises:
        SettingsError: Other machines could call without a token, or the data folder is
            not writable.
        TokensError: The tokens cannot be read.
        Conflict: Another service uses the data folder.
    """
    tokens = Tokens(settings.tokens, settings.tokens_file)
    if not (tokens.are_asked_for or settings.allow_anonymous or is_loopback(settings.host)):
        raise SettingsError(
            f"LOOKALIKE_HOST is {settings.host}, which other machines can reach, and there is no "
            "token; set LOOKALIKE_TOKENS (`NAME SCOPES TOKEN`), or LOOKALIKE_ALLOW_ANONYMOUS=1 "
            "to let everybody search, train and delete"
        )
    try:
        with sole_user(settings.data_dir):
            pass
    except OSError as error:
        raise SettingsError(
            f"the data folder {settings.data_dir} cannot be written to ({error.strerror}); let "
            "this user write there, or name another folder in LOOKALIKE_DATA_DIR"
        ) from error
