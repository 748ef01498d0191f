#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Have a container image that is Debian with some packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: debian_image
short_description: Have a container image that is Debian with some packages
description:
  - Makes an image of Debian packages, from an image of a registry where one answers, else with mmdebstrap from a
    package archive. It is made once for each content, and tagged with a digest of what it is made of.
options:
  name:
    description: Name of the image without a tag.
    type: str
    required: true
  release:
    description: Debian release.
    type: str
    default: trixie
  packages:
    description: Packages beside those that every system has.
    type: list
    elements: str
    required: true
  variant:
    description: Variant of mmdebstrap; C(extract) unpacks the packages and runs none of their scripts.
    type: str
    choices: [minbase, extract]
    default: minbase
  source:
    description: >-
      Where it comes from: C(containerfile) (an image of a registry), C(mmdebstrap), or C(auto), the first of these
      that can be had.
    type: str
    choices: [auto, containerfile, mmdebstrap]
    default: auto
  containerfile:
    description: Containerfile of the first; it gets the build arguments DEBIAN and PACKAGES.
    type: path
  revision:
    description: Anything; another value makes the image anew, for newer packages.
    type: str
    default: ""
  runtime:
    description: OCI runtime of podman.
    type: str
    default: runc
  progress_file:
    description: File that gets a line when something takes long; none if absent.
    type: path
  timeout:
    description: Seconds within which it must be made.
    type: int
    default: 1200
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Have the base of a host
  proving.ground.debian_image:
    name: localhost/proving-ground/lab-host-base
    packages: [systemd, openssh-server]
"""

RETURN = r"""
image:
  description: Name and tag.
  type: str
  returned: always
digest:
  description: Digest of what it is made of, twelve digits.
  type: str
  returned: always
source:
  description: Where it came from; empty if it was there.
  type: str
  returned: always
"""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError

_REGISTRY_SECONDS = 30.0


def digest_of(parameters: dict[str, Any]) -> str:
    """Return what tells contents apart."""
    made_of = {key: parameters[key] for key in ("release", "packages", "variant", "revision")}
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]


def tell(path: str | None, line: str) -> None:
    """Write a line for people who wait."""
    if path:
        with pathlib.Path(path).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def registry_answers(podman: Podman, image: str) -> bool:
    """Tell whether an image can be pulled, by doing so."""
    try:
        return podman.attempt("pull", "--quiet", image, seconds=_REGISTRY_SECONDS).returncode == 0
    except PodmanError:
        return False


def bootstrap(podman: Podman, image: str, parameters: dict[str, Any]) -> None:
    """Make the image with mmdebstrap.

    Raises:
        PodmanError: It is not there, or the package archive cannot be reached.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise PodmanError("no registry answers, and there is no mmdebstrap on this machine: install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="proving-ground-") as directory:
        archive = pathlib.Path(directory) / "root.tar"
        include = ",".join(parameters["packages"])
        command = [program, "--quiet", f"--variant={parameters['variant']}", f"--include={include}"]
        command += ["--aptopt=Acquire::Retries 3", "--dpkgopt=path-exclude=/usr/share/doc/*"]
        command += ["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"]
        try:
            made = subprocess.run(
                [*command, parameters["release"], str(archive)],
                capture_output=True,
                check=False,
                timeout=parameters["timeout"],
                env={**os.environ, "TMPDIR": directory, "SOURCE_DATE_EPOCH": "0"},
            )
        except subprocess.TimeoutExpired:
            raise PodmanError(f"mmdebstrap did not end within {parameters['timeout']} s") from None
        if made.returncode:
            lines = [line for line in made.stderr.decode(errors="replace").splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
            raise PodmanError(f"mmdebstrap could not make Debian {parameters['release']}: {' '.join(errors)[:400]}")
        podman.run("import", "--quiet", str(archive), image, seconds=300)


def build(podman: Podman, image: str, parameters: dict[str, Any]) -> None:
    """Make the image from one of a registry."""
    packages = " ".join(parameters["packages"])
    words = ["build", "--quiet", f"--build-arg=DEBIAN={parameters['release']}", f"--build-arg=PACKAGES={packages}"]
    file = pathlib.Path(parameters["containerfile"])
    podman.run(*words, f"--tag={image}", f"--file={file}", str(file.parent), seconds=parameters["timeout"])


def make(podman: Podman, image: str, parameters: dict[str, Any]) -> str:
    """Make the image the way that is wanted, and return which it was.

    Raises:
        PodmanError: It cannot be had.
    """
    source = parameters["source"]
    base = f"docker.io/library/debian:{parameters['release']}-slim"
    possible = source != "mmdebstrap" and parameters["containerfile"]
    if possible and (source == "containerfile" or registry_answers(podman, base)):
        build(podman, image, parameters)
        return "containerfile"
    bootstrap(podman, image, parameters)
    return "mmdebstrap"


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "release": {"type": "str", "default": "trixie"},
            "packages": {"type": "list", "elements": "str", "required": True},
            "variant": {"type": "str", "choices": ["minbase", "extract"], "default": "minbase"},
            "source": {"type": "str", "choices": ["auto", "containerfile", "mmdebstrap"], "default": "auto"},
            "containerfile": {"type": "path"},
            "revision": {"type": "str", "default": ""},
            "runtime": {"type": "str", "default": "runc"},
            "progress_file": {"type": "path"},
            "timeout": {"type": "int", "default": 1200},
        },
        supports_check_mode=True,
    )
    podman = Podman(module.params["runtime"])
    digest = digest_of(module.params)
    image = f"{module.params['name']}:{digest}"
    lock = pathlib.Path(tempfile.gettempdir()) / f"proving-ground-image-{digest}.lock"
    source = ""
    try:
        with lock.open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            there = podman.attempt("image", "exists", image).returncode == 0
            if not there and not module.check_mode:
                tell(module.params["progress_file"], f"making {module.params['name']} (first time only, a minute)")
                source = make(podman, image, module.params)
    except PodmanError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the image could not be made: {error}")
    module.exit_json(changed=not there, image=image, digest=digest, source=source)


if __name__ == "__main__":
    main()
