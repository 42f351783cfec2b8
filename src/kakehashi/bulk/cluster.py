"""A Ray to work on, and whether each of its machines can."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import __version__
from ..errors import DataError, KakehashiError, MissingExtraError
from .blocks import Block, state_of
from .embedding import BlockEmbedder
from .job import Job

LOCAL = "local"
_STORE = 100_000_000
"""Bytes of Ray's own shared memory: no block passes through it."""


@contextmanager
def ray_up(address: str, n_workers: int | None) -> Iterator[int]:
    """Start a Ray on this machine or join a cluster, and leave it again; yield the workers to use.

    A Ray that this process has joined already is used, and stays.

    Args:
        address: ``local``, ``auto`` (the cluster of this machine), or HOST:PORT.
        n_workers: None for one on each CPU.

    Raises:
        DataError: no cluster answers there.
        MissingExtraError: Ray is not installed.
    """
    try:
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    if "://" in address:
        raise DataError(
            f"{address}: Ray Data has no client for this. Run the command on a machine of the "
            "cluster, with --ray auto; `ray job submit` does so from elsewhere."
        )
    joined = ray.is_initialized()
    if not joined:
        _join(address, n_workers)
    try:
        yield n_workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if not joined:
            ray.shutdown()


def _join(address: str, n_workers: int | None) -> None:
    import logging

    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # a worker that is lost is no news
        ray.init(
            address=LOCAL,
            num_cpus=n_workers or os.cpu_count(),
            include_dashboard=False,
            object_store_memory=_STORE,
            **quiet,
        )
        return
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise DataError(
            f"no Ray can be joined at {address}: {error}. `ray start --head` starts one; "
            "--ray local works on this machine alone."
        ) from error


def require_machines(job: Job, fingerprint: str, block: Block) -> None:
    """Check before the first write that every machine has what a worker needs.

    Args:
        fingerprint: of the aligner.
        block: one of the input.

    Raises:
        DataError: a machine lacks the package, the aligner, its encoder, the input or the output.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    mark = job.out / f".{secrets.token_hex(4)}.part"
    mark.touch()
    answers = []
    ask = ray.remote(num_cpus=0, max_retries=0)(problem_here)
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("CPU"):
            node_only = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            name = node["NodeManagerHostname"]
            needed = (job, fingerprint, block, mark, __version__)
            answers.append((name, ask.options(scheduling_strategy=node_only).remote(*needed)))
    try:
        for name, answer in answers:
            try:
                problem = ray.get(answer)
            except ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines()
                problem = f"kakehashi cannot run there: {lines[-1] if lines else error!r}"
            if problem:
                raise DataError(
                    f"{name}, a machine of the cluster: {problem}. Each machine needs the same "
                    "version of kakehashi and its extras, and sees the input, the output and the "
                    "aligner under the same paths."
                )
    finally:
        mark.unlink(missing_ok=True)


def problem_here(
    job: Job, fingerprint: str, block: Block, mark: Path, of_driver: str
) -> str | None:
    """Return why a worker cannot work on this machine; None where it can."""
    if __version__ != of_driver:
        return f"it has kakehashi {__version__}, and the command {of_driver}"
    if not mark.exists():
        return f"{job.out} is another folder there"
    if not os.access(job.out, os.W_OK):
        return f"{job.out} cannot be written"
    if not block.file.is_file() or state_of(block.file) != block.state:
        return f"{block.file} is missing, or another file"
    try:
        embedder = BlockEmbedder(job, job.load())
    except (KakehashiError, OSError) as error:
        return str(error).rstrip(".")
    if embedder.aligner.fingerprint != fingerprint:
        return f"{job.aligner} is another aligner there"
    return None
