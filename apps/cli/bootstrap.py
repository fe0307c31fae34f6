"""Makes .venv from the hashed lock file, then runs a command in it.

    python3 apps/cli/bootstrap.py base|dev MODULE [ARGUMENT...]

Standard library only, and readable by old Pythons, so that it can say what is wrong with them. A second
start compares one stamp and installs nothing. Which package index is used is pip's configuration alone.
"""

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.environ.get("AIBOS_VENV") or os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "aibos-installed.json")
LOCKS = {"base": ("base",), "dev": ("base", "dev")}  # a development environment also serves `make run`
NEEDED_BYTES = {"base": 900 * 10**6, "dev": 1800 * 10**6}

# How pip's settings are handed to uv. A setting that is in neither list sends us back to pip.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
UV_NEEDS_NOT = {
    "disable-pip-version-check",
    "no-color",
    "progress-bar",
    "quiet",
    "verbose",
    "retries",
    "break-system-packages",
    "root-user-action",
    "require-virtualenv",
    "no-input",
    "no-cache-dir",
    "cache-dir",
    "no-warn-script-location",
    "no-python-version-warning",
}
CAUSES = (
    ("E105", re.compile(r"No space left on device|os error 28|Errno 28", re.IGNORECASE)),
    (
        "E106",
        re.compile(
            r"do not match the hashes|hash mismatch|HashMismatch|HASHES ARE REQUIRED|computed:.*expected:",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    (
        "E104",
        re.compile(
            r"name resolution|Name or service not known|nodename nor servname|getaddrinfo|dns error|"
            r"NewConnectionError|Connection refused|Network is unreachable|No route to host|ConnectTimeout|"
            r"timed out|ProxyError|error sending request|No matching distribution|Could not fetch|tcp connect",
            re.IGNORECASE,
        ),
    ),
)
PROBLEMS = {
    "E101": (
        "This Python is {found}; AI-BOS needs 3.11 or newer.",
        (
            "Install a newer one (Debian and Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install\n"
            "python@3.13) and name it: make PYTHON=python3.11 run"
        ),
    ),
    "E102": (
        "This Python ({found}) cannot make virtual environments: its module `{missing}` is not installed.",
        (
            "Debian and Ubuntu: apt install python{version}-venv. Elsewhere take a complete Python and name it:\n"
            "make PYTHON=/path/to/python3 run"
        ),
    ),
    "E103": (
        "The folder {found} cannot be written.",
        "Clone the repository to a folder of your own, or give it to yourself: chown -R $(id -un) {found}",
    ),
    "E104": (
        "The packages could not be downloaded: the package index was not reached.",
        (
            "Check the network. Behind a proxy set HTTPS_PROXY; with an index of your own run\n"
            "pip config set global.index-url URL. Then start again; what was fetched is kept."
        ),
    ),
    "E105": (
        "There is not enough disk space: {found}.",
        "Free some space, or put the environment elsewhere: AIBOS_VENV=/other/disk/venv make run",
    ),
    "E106": (
        "A downloaded package is not the one that was locked (its hash differs), so it was not installed.",
        "Fetch the repository again. If your index serves altered packages, ask its keeper.",
    ),
    "E107": (
        "The packages could not be installed; the lines above say why.",
        "The full output is in {found}. make clean-venv and a new start helps when an old one is broken.",
    ),
}


class Stop(Exception):
    """The bootstrap cannot go on; carries a code of PROBLEMS."""

    def __init__(self, code, **facts):
        problem, cure = PROBLEMS[code]
        super().__init__(f"\n{code} {problem.format(**facts)}\n\n{cure.format(**facts)}\n")


def say(text):
    """Print one line of progress at once, also into a pipe."""
    print(text, flush=True)


def fit_python(version=None, executable=None):
    """Return when this Python is new enough, go over to one that is, or stop with E101 or E102."""
    version = version or tuple(sys.version_info[:3])
    if version < OLDEST:
        for minor in range(20, OLDEST[1] - 1, -1):
            better = shutil.which(f"python3.{minor}")
            if better and executable is None:
                os.execv(better, [better, *sys.argv])
        raise Stop("E101", found=".".join(str(part) for part in version))
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            raise Stop(
                "E102", found=sys.executable, missing=module, version=f"{version[0]}.{version[1]}"
            ) from None


def digest(kind):
    """SHA-256 of one lock file."""
    with open(os.path.join(ROOT, "requirements", kind + ".txt"), "rb") as lock:
        return hashlib.sha256(lock.read()).hexdigest()


def wanted(kind):
    """The locks an environment of this kind was made from: {name: SHA-256}."""
    return {name: digest(name) for name in LOCKS[kind]}


def installed():
    """The locks installed here, or nothing when the environment is absent, moved, broken or unfinished."""
    try:
        with open(STAMP) as stamp:
            found = json.load(stamp)
    except (OSError, ValueError):
        return {}
    usable = os.access(venv_python(), os.X_OK) and found.get("home") == home()
    return found.get("locks", {}) if usable else {}


def home():
    """Where the environment lies and which interpreter it stands on; a change of either breaks it."""
    return [os.path.realpath(VENV), os.path.realpath(venv_python())]


def venv_python():
    """The interpreter inside the environment."""
    return os.path.join(VENV, "bin", "python")


def pip_settings(text):
    """The settings in `pip config list` output that count for `pip install`: {name: [values]}."""
    ranks = {"global": 0, "install": 1, ":env:": 2}
    best = {}  # type: dict[str, tuple[int, str]]
    for line in text.splitlines():
        match = re.match(r"(:env:|[\w-]+)\.([\w-]+)=(.*)", line)
        if not match or match.group(1) not in ranks:
            continue
        rank, name = ranks[match.group(1)], match.group(2)
        try:
            value = str(ast.literal_eval(match.group(3)))
        except (ValueError, SyntaxError):
            value = match.group(3)
        if name != "config-file" and rank >= best.get(name, (0, ""))[0]:
            best[name] = (rank, value)
    return {name: value.split() for name, (_, value) in best.items()}


def uv_environment(settings, environment):
    """The environment in which uv sees what pip is configured for, or None when that cannot be said."""
    result = dict(environment)
    for name, values in settings.items():
        if name == "no-index":
            result["UV_NO_INDEX"] = "1"
        elif name in UV_NAMES:
            separator = "," if name == "find-links" else " "
            result.setdefault(UV_NAMES[name], separator.join(values))
        elif name not in UV_NEEDS_NOT:
            return None
    # Like pip, weigh all indexes alike; the hashes decide what may come in.
    result.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    result.setdefault("UV_LINK_MODE", "hardlink")
    return result


def run_logged(command, log, environment=None):
    """Run a command, showing and keeping its output; return (success, output)."""
    lines = []
    with open(log, "a") as kept:
        kept.write("$ " + " ".join(command) + "\n")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, text=True
        )
        for line in process.stdout or ():
            lines.append(line)
            kept.write(line)
            if not line.lstrip().startswith(("+ ", "Requirement already", "Using cached")):
                sys.stdout.write("      " + line)
                sys.stdout.flush()
    return process.wait() == 0, "".join(lines)


def install(kind, log):
    """Install the lock: with uv when it can be had and understands pip's settings, else with pip."""
    lock = os.path.join(ROOT, "requirements", kind + ".txt")
    pip = [venv_python(), "-m", "pip"]
    listed = subprocess.run(
        [*pip, "config", "list"], stdout=subprocess.PIPE, universal_newlines=True, check=False
    ).stdout
    environment = uv_environment(pip_settings(listed), os.environ)
    if environment is not None:
        say("[2/3] fetching the installer")
        installer = os.path.join(ROOT, "requirements", "installer.txt")
        fetched, output = run_logged([*pip, "install", "--quiet", "--require-hashes", "-r", installer], log)
        refuse_known(output, fetched)
        uv = os.path.join(VENV, "bin", "uv")
        if fetched and os.access(uv, os.X_OK):
            say(f"[3/3] installing {count(lock)} packages, each checked against its hash")
            command = [uv, "pip", "install", "--python", venv_python(), "--require-hashes"]
            done, output = run_logged([*command, "--compile-bytecode", "-r", lock], log, environment)
            if done:
                return
            refuse_known(output, done)
            say("      this did not work with uv; trying pip")
    say(f"[3/3] installing {count(lock)} packages with pip (about a minute)")
    done, output = run_logged([*pip, "install", "--require-hashes", "-r", lock], log)
    refuse_known(output, done)
    if not done:
        raise Stop("E107", found=log)


def refuse_known(output, done):
    """Stop with the code that explains this failed output, if one does."""
    if done:
        return
    for code, pattern in CAUSES:
        if pattern.search(output):
            raise Stop(code, found="the disk is full")


def count(lock):
    """How many packages a lock file names."""
    with open(lock) as lines:
        return sum(1 for line in lines if re.match(r"[\w.-]+==", line))


def check_room(kind):
    """Stop when the disk has no room for the environment or the folder cannot be written."""
    folder = os.path.dirname(os.path.abspath(VENV))
    if not os.access(folder, os.W_OK):
        raise Stop("E103", found=folder)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES[kind]:
        need = NEEDED_BYTES[kind] // 10**6
        raise Stop("E105", found=f"{free // 10**6} MB free in {folder}, {need} MB needed")


def ensure(kind):
    """Bring the environment to the lock; does nothing when its stamp already says so."""
    want = wanted(kind)
    if want.items() <= installed().items():
        return
    started = time.monotonic()
    fit_python()
    if not os.access(venv_python(), os.X_OK):
        check_room(kind)
    with locked():
        found = installed()
        if want.items() <= found.items():
            return
        log = os.path.join(os.path.dirname(os.path.abspath(VENV)), ".venv-install.log")
        with contextlib.suppress(OSError):
            os.unlink(log)
        if not (found or works()):
            say(f"[1/3] making {os.path.relpath(VENV, ROOT)} with Python {sys.version.split()[0]}")
            made, output = run_logged([sys.executable, "-m", "venv", "--clear", VENV], log)
            refuse_known(output, made)
            if not made:
                raise Stop("E107", found=log)
        else:
            say("[1/3] bringing the environment to the lock")
        install(kind, log)
        with open(STAMP, "w") as stamp:
            json.dump({"locks": want, "home": home()}, stamp)
        os.unlink(log)
        say(f"      ready after {time.monotonic() - started:.0f} s")


def works():
    """Whether an environment without a stamp is whole: a fitting Python, at its place, with pip."""
    probe = "import sys, pip; print(sys.version_info >= (3, 11), sys.prefix)"
    try:
        answer = subprocess.run(
            [venv_python(), "-c", probe], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return False
    return answer.stdout.split() == ["True", os.path.abspath(VENV)]


@contextlib.contextmanager
def locked():
    """One installation at a time, also when two terminals start together."""
    import fcntl  # noqa: PLC0415 - absent on Windows, where the version message must still appear

    path = os.path.abspath(VENV) + ".lock"
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main(arguments):
    """Ensure the environment and become the command."""
    try:
        if tuple(sys.version_info[:2]) < OLDEST:
            fit_python()
        kind = arguments[0]
        ensure(kind)
    except Stop as stop:
        sys.stderr.write(str(stop))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the next start goes on from here\n")
        return 130
    if len(arguments) == 1:
        return 0
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ["PATH"] = os.path.join(VENV, "bin") + os.pathsep + os.environ.get("PATH", "")
    os.chdir(ROOT)
    return os.execv(venv_python(), [venv_python(), "-m", *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
