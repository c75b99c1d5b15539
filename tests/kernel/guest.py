# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs inside the virtual machine: its init script, and the stream in which it sends results back.

The console (first serial port) carries the kernel's messages and one line per step, so that it tells where
a hang or a panic struck. Results go out by the second port as gzip members, one after each step, each
holding a tar file: a panic in a later step loses nothing that an earlier one sent, and gzip's checksum
tells a damaged stream.
"""

from __future__ import annotations

import io
import shlex
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

#: Begins every console line of the init script.
MARK = "@@vm"
#: The console line after which the machine is switched off.
FINISHED = f"{MARK} finished"

_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /tmp /vm/out
stty -F /dev/{data_tty} raw
echo 8 > /proc/sys/kernel/printk
failed=

send() {{  # everything in /vm/out
	tar -c -C /vm/out . | gzip -1 > /dev/{data_tty}
	rm -rf /vm/out
	mkdir /vm/out
}}

step() {{  # NUMBER NAME
	echo "{mark} begin $2"
	mkdir -p "/vm/out/step/$1"
	(cd /tmp && exec sh "/vm/steps/$1") > "/vm/out/step/$1/output" 2>&1 < /dev/null
	status=$?
	echo $status > "/vm/out/step/$1/status"
	echo "{mark} end $2: $status"
	[ $status = 0 ] || failed=1
	send
}}

collect() {{  # SECTION FILE-OR-FOLDER
	[ -e "$2" ] || return 0
	[ -e "${{2%/*}}/tracing_on" ] && echo 0 > "${{2%/*}}/tracing_on"  # reading must not record
	find "$2" -type f | while read -r file; do
		name="/vm/out/section/$1${{file#"$2"}}"
		mkdir -p "${{name%/*}}"
		cat "$file" > "$name" 2>&1
	done
}}

{steps}
mkdir -p /vm/out/section
dmesg > /vm/out/section/dmesg
send
echo "{finished}"
poweroff -f
"""


@dataclass(frozen=True)
class Step:
    """A piece of shell run in the guest; a later step runs only if all before it ended with status 0."""

    name: str
    script: str


@dataclass(frozen=True)
class Collect:
    """Files to send to the host: `path` is a file or a folder, which appears as section `section`."""

    section: str
    path: str


def init_script(actions: Sequence[Step | Collect], data_tty: str) -> str:
    """The text of /init that carries `actions` out; the script of a step, the i-th, is /vm/steps/i."""
    lines = []
    for number, action in enumerate(actions):
        if isinstance(action, Step):
            lines.append(f"[ $failed ] || step {number} {shlex.quote(action.name)}")
        else:
            lines.append(f"collect {shlex.quote(action.section)} {shlex.quote(action.path)}; send")
    return _INIT.format(data_tty=data_tty, mark=MARK, finished=FINISHED, steps="\n".join(lines))


def unpack(stream: bytes) -> tuple[dict[str, bytes], str | None]:
    """Decode what the guest sent: contents by path (``step/0/status``, ``section/dmesg``), and what is
    damaged in it.

    The second is None for a whole stream, else the reason why the rest of it could not be read.
    """
    files: dict[str, bytes] = {}
    while stream:
        inflater = zlib.decompressobj(wbits=31)
        try:
            tar = inflater.decompress(stream)
            if not inflater.eof:
                return files, f"the last {len(stream)} bytes sent are not complete"
            files |= _untar(tar)
        except (zlib.error, tarfile.TarError) as error:
            return files, f"the data sent is damaged: {error}"
        stream = inflater.unused_data
    return files, None


def _untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = [(member, tar.extractfile(member)) for member in tar if member.isfile()]
        return {member.name.removeprefix("./"): content.read() for member, content in members if content}
