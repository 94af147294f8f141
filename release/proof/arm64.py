"""The aarch64 artefacts, under qemu-user where the machine is another.

    arm64.py ARTEFACTS

A user namespace of its own has its own table of foreign formats (Linux 6.7), so that nothing of the
machine changes. Signals, `clone` and `ptrace` are qemu's there and not a processor's: what PID 1
does at its limits is not shown by this.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import installs
import roots  # After this the modules of the release are found.

# isort: split
import binaries
import compiler
from product import PROCESSORS, TITLE, ReleaseError, say

QEMU = "qemu-aarch64-static"
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"

# Tests that pass without qemu.
NOT_QEMU: tuple[str, ...] = (
    # Minutes each.
    "fuzz",
    # qemu-user makes up /proc/self/stat, which has no start time then and another state.
    "init::procfs::tests::a_process_is_described",
    "metrics::region::tests::only_one_process_reclaims_a_dead_cell",
    # It starts itself again: only the kernel's table of foreign formats would let it.
    "init::tests::after_a_bug_the_program_keeps_its_signals_and_its_exit_code",
    # It counts wake-ups of its thread, and qemu has its own.
    "shutdown::wait::tests::waiting_in_vain_takes_the_time_and_wakes_up_once",
    # musl has other words than glibc for an error.
    "facts::files::tests::a_loop_of_links_is_an_error_with_the_kernels_reason",
    "shutdown::fault::tests::a_kernel_error_is_shown_without_its_number",
)

# In a user namespace; what runs below /root/proof is arm64's.
ENTER = f"""
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':aarch64:M::{MAGIC}:{MASK}:/usr/bin/{QEMU}:F' >/proc/sys/fs/binfmt_misc/register
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /dev "$1/dev"
exec unshare --pid --fork --kill-child --mount-proc="$1/proc" chroot "$1" /bin/sh -eu /proof.sh
"""

INSIDE = """
uname -m
export PYTHONPATH=/site
python3=$(ls /usr/bin/python3.* | head -n 1)
"$python3" /artefacts/try_wheel.py
runtime=/artefacts/lyftlearn-runtime
"$runtime" --version
"$runtime" inspect | head -n 1
"$runtime" inspect --json >/dev/null
# PID 1's agent serves metrics to a client, and credentials that it has by TLS.
cat >/tmp/client.py <<'PYTHON'
import json, os, subprocess, time, urllib.request
import lyftlearn_runtime as rt
rt.metrics.counter("rows", {"split": "train"}).inc(512)
deadline = time.monotonic() + 60
while True:
    try:
        text = urllib.request.urlopen("http://127.0.0.1:9102/metrics", timeout=30).read().decode()
        if 'rows_total{split="train"} 512' in text or 'rows{split="train"} 512' in text:
            break
    except OSError:
        text = "no answer"
    if time.monotonic() > deadline:
        raise SystemExit("no metrics: " + text)
    time.sleep(0.2)
print("metrics from the agent")
uri = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
asked = urllib.request.Request(uri, headers={"Authorization": token})
answer = json.load(urllib.request.urlopen(asked, timeout=60))
assert answer["AccessKeyId"] == "AKIDSTANDIN", answer.keys()
print("credentials from the agent")
PYTHON
cat >/tmp/source.py <<'PYTHON'
import http.server, json, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"AccessKeyId": "AKIDSTANDIN", "SecretAccessKey": "s", "Token": "t",
                           "Expiration": "2099-01-01T00:00:00Z"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 8999), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/artefacts/source.pem", "/artefacts/source.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PYTHON
PYTHONPATH= "$python3" /tmp/source.py &
export AWS_CONTAINER_CREDENTIALS_FULL_URI=https://127.0.0.1:8999/credentials AWS_REGION=us-east-1
export AWS_CA_BUNDLE=/artefacts/root.pem
export LYFTLEARN_RUNTIME_METRICS_LISTEN=127.0.0.1:9102
"$runtime" run -- "$python3" /tmp/client.py
"""


# A root of trust and a certificate of the source's, for a day.
CERTIFICATES = """
printf '[req]\\ndistinguished_name = name\\n[name]\\n' >request
new() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -config request "$@"
}
new -subj /CN=root -addext basicConstraints=critical,CA:TRUE -keyout root.key -out root.pem
new -subj /CN=source -CA root.pem -CAkey root.key -addext subjectAltName=IP:127.0.0.1 \\
    -keyout source.key -out source.pem
"""


def main() -> int:
    """Tries all."""
    artefacts = Path(sys.argv[1])
    try:
        roots.needs(QEMU, "qemu-user-static")
        roots.needs("openssl", "openssl")
        root = roots.foreign("bookworm", "arm64")
        if root is None:
            say("SKIPPED: a root of arm64: Debian's archive does not answer")
            return 0
        return 0 if all([attempt(artefacts, root), unit_tests()]) else 1
    except ReleaseError as error:
        say(f"{error}{f': {error.hint}' if error.hint else ''}")
        return 1


def attempt(artefacts: Path, root: Path) -> bool:
    """The wheel under Debian's Python, the binary from its wheel, and its agent."""
    library = installs.one(artefacts, "lyftlearn_runtime-*abi3-manylinux*_aarch64.whl")
    binary = installs.one(artefacts, "lyftlearn_runtime_bin-*_aarch64.whl")
    roots.carry(root, installs.HERE / "try_wheel.py")
    with zipfile.ZipFile(library) as archive:
        archive.extractall(root / "site")
    with zipfile.ZipFile(binary) as archive:
        # The completions of shells have the same name.
        scripts = (name for name in archive.namelist() if "/scripts/" in name)
        (script,) = (name for name in scripts if name.endswith("/lyftlearn-runtime"))
        place = root / "artefacts/lyftlearn-runtime"
        place.write_bytes(archive.read(script))
        place.chmod(0o755)
    subprocess.run(
        ["sh", "-euc", CERTIFICATES], cwd=root / "artefacts", stderr=subprocess.DEVNULL, check=True
    )
    (root / "proof.sh").write_text(INSIDE, encoding="utf-8")
    tried = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "--net", "--fork", "--kill-child"),
            *("sh", "-euc", "ip link set lo up; " + ENTER, "sh", str(root)),
        ],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return installs.report("arm64 under qemu-user", tried)


def unit_tests() -> bool:
    """The library's own, compiled and linked as a release is."""
    (processor,) = (processor for processor in PROCESSORS if processor.name == "aarch64")
    command = ["cargo", "test", "--locked", f"--target={processor.static}", "-p", TITLE, "--lib"]
    skipped = [argument for test in NOT_QEMU for argument in ("--skip", test)]
    variable = f"CARGO_TARGET_{processor.static.upper().replace('-', '_')}_RUNNER"
    try:
        compiler.run(
            "the library's unit tests, arm64 under qemu-user",
            [*command, "--", "--quiet", *skipped],
            binaries.linking(processor),
            CARGO_TARGET_DIR=str(compiler.target(processor)),
            **binaries.c_compiler(processor),
            **{variable: QEMU},
        )
    except ReleaseError as error:
        say(f"FAILED: {error}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
