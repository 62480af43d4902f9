"""Small LeRobot data sets for tests: coloured squares that move; v3 by our own writer, v2 by pyarrow and PyAV alone."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from robo_reward.episodes.lerobot_format import Feature
from robo_reward.episodes.lerobot_writer import LeRobotWriter

FRONT = "observation.images.front"
WRIST = "observation.images.wrist"
FPS = 10.0
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def moving_square(num_frames: int, *, size: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray:
    """RGB frames `(time, 3, height, width)` of a coloured square that crosses a background; no two frames are alike."""
    rng = np.random.default_rng(seed)
    height, width = size
    background, colour = rng.integers(30, 110, 3), rng.integers(140, 250, 3)
    frames = np.empty((num_frames, 3, height, width), np.uint8)
    frames[:] = background[None, :, None, None]
    side = height // 4
    for t in range(num_frames):
        left = round((width - side) * t / max(num_frames - 1, 1))
        frames[t, :, side : 2 * side, left : left + side] = colour[:, None, None]
        frames[t, :, -4:, : 1 + t * (width - 1) // max(num_frames - 1, 1)] = 255
    return frames


def features(
    cameras: Sequence[str] = (FRONT, WRIST), *, size: tuple[int, int] = (48, 64), **extra: Feature
) -> dict[str, Feature]:
    """Cameras, a state of 3, an action of 2, and whatever more is asked for."""
    return {
        **{name: Feature(dtype="video", shape=(*size, 3)) for name in cameras},
        "observation.state": Feature(dtype="float32", shape=(3,), names=["x", "y", "z"]),
        "action": Feature(dtype="float32", shape=(2,)),
        **{name.replace("__", "."): feature for name, feature in extra.items()},
    }


def columns(num_frames: int, *, seed: int = 0, **extra: np.ndarray) -> Mapping[str, np.ndarray]:
    """State and action of one episode, and whatever more is asked for (`next__success` is `next.success`)."""
    rng = np.random.default_rng(seed)
    return {
        "observation.state": rng.normal(size=(num_frames, 3)).astype(np.float32),
        "action": rng.normal(size=(num_frames, 2)).astype(np.float32),
        **{name.replace("__", "."): values for name, values in extra.items()},
    }


def write_data_set(
    folder: Path,
    lengths: Sequence[int] = (12, 7, 9),
    *,
    cameras: Sequence[str] = (FRONT, WRIST),
    instructions: Sequence[str] = ("push the square", "pull the square"),
    success: Mapping[int, bool] | None = None,
) -> Path:
    """Write episodes of given lengths; instructions alternate.

    With `success` (episode to outcome) the columns next.success, next.terminated and next.truncated are there, and a
    successful episode terminates in its last row.
    """
    flags = {} if success is None else dict.fromkeys(("success", "terminated", "truncated"), Feature(dtype="bool"))
    declared = features(cameras, **{f"next__{name}": feature for name, feature in flags.items()})
    with LeRobotWriter(folder, declared, fps=FPS, robot_type="square") as writer:
        for index, length in enumerate(lengths):
            views = {name: moving_square(length, seed=10 * index + k) for k, name in enumerate(cameras)}
            last = np.arange(length) == length - 1
            reached = last & bool((success or {}).get(index, False))
            ends = {"success": reached, "terminated": reached, "truncated": last & ~reached}
            extra = {f"next__{name}": ends[name] for name in flags}
            writer.add_episode(
                instructions[index % len(instructions)], views=views, columns=columns(length, seed=index, **extra)
            )
    return folder


def write_v2_data_set(
    folder: Path,
    lengths: Sequence[int] = (12, 7),
    *,
    version: str = "v2.1",
    kind: str = "video",
    first_stamp: float = 0.0,
) -> Path:
    """Write a data set as LeRobot v2 laid it out, one file an episode, with pyarrow, json and PyAV alone.

    Args:
        folder: Where.
        lengths: Rows of each episode.
        version: What codebase_version says; v2.1 has statistics per episode, v2.0 has not.
        kind: `video`, or `image` for PNG pictures inside parquet.
        first_stamp: Timestamp of the first row [s]; some recorders begin one frame late.
    """
    meta = folder / "meta"
    meta.mkdir(parents=True)
    scalar = {"shape": [1], "names": None}
    declared = {
        FRONT: {"dtype": kind, "shape": [48, 64, 3], "names": ["height", "width", "channel"]},
        "observation.state": {"dtype": "float32", "shape": [3], "names": None},
        "timestamp": {"dtype": "float32", **scalar},
        **{name: {"dtype": "int64", **scalar} for name in ("frame_index", "episode_index", "index", "task_index")},
    }
    info = {
        "codebase_version": version,
        "robot_type": "square",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 2,
        "chunks_size": 1000,
        "fps": int(FPS),
        "splits": {"train": f"0:{len(lengths)}"},
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": declared,
    }
    (meta / "info.json").write_text(json.dumps(info))
    tasks = ("push the square", "pull the square")
    _write_lines(meta / "tasks.jsonl", [{"task_index": k, "task": task} for k, task in enumerate(tasks)])
    listed = [{"episode_index": k, "tasks": [tasks[k % 2]], "length": n} for k, n in enumerate(lengths)]
    _write_lines(meta / "episodes.jsonl", listed)
    if version == "v2.1":
        grey = {key: [[[value]]] * 3 for key, value in (("min", 0.1), ("max", 0.9), ("mean", 0.5), ("std", 0.2))}
        stats = [{"episode_index": k, "stats": {FRONT: grey | {"count": [n]}}} for k, n in enumerate(lengths)]
        _write_lines(meta / "episodes_stats.jsonl", stats)
    for index, length in enumerate(lengths):
        _write_v2_episode(folder, index, length, before=sum(lengths[:index]), kind=kind, first_stamp=first_stamp)
    return folder


def _write_v2_episode(folder: Path, index: int, length: int, *, before: int, kind: str, first_stamp: float) -> None:
    frames = moving_square(length, seed=10 * index)
    rows = np.arange(length)
    state = columns(length, seed=index)["observation.state"]
    table = {
        "observation.state": pa.array(list(state), pa.list_(pa.float32())),
        "timestamp": pa.array(first_stamp + rows / FPS, pa.float32()),
        "frame_index": pa.array(rows),
        "episode_index": pa.array(np.full(length, index)),
        "index": pa.array(before + rows),
        "task_index": pa.array(np.full(length, index % 2)),
    }
    if kind == "image":
        table[FRONT] = pa.array([{"bytes": png(frame), "path": None} for frame in frames], IMAGE_TYPE)
    else:
        video = folder / "videos" / "chunk-000" / FRONT / f"episode_{index:06d}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        write_video(video, frames)
    data = folder / "data" / "chunk-000" / f"episode_{index:06d}.parquet"
    data.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), data)


def write_video(path: Path, frames: np.ndarray, *, b_frames: int = 2, gop: int = 5) -> None:
    """Encode `(time, 3, height, width)` with PyAV alone, at 10 frames/s."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=int(FPS), options={"crf": "18", "bf": str(b_frames)})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[2:], "yuv420p"
        stream.codec_context.gop_size = gop
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.transpose(1, 2, 0)), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def read_video(path: Path) -> np.ndarray:
    """Every frame of a video `(time, 3, height, width)`, decoded from the start by PyAV's own conversion."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).transpose(0, 3, 1, 2)


def png(frame: np.ndarray) -> bytes:
    """Encode one `(3, height, width)` frame without loss."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))).save(buffer, format="png")
    return buffer.getvalue()


def edit_parquet(path: Path, **replaced: pa.Array | None) -> None:
    """Replace columns of a parquet file (`observation__state` is `observation.state`), or drop those given as None."""
    table = pq.read_table(path)
    for key, values in replaced.items():
        name = key.replace("__", ".")
        position = table.schema.get_field_index(name)
        table = table.remove_column(position)
        if values is not None:
            table = table.add_column(position, name, values)
    pq.write_table(table, path)


def edit_json(path: Path, **replaced: Any) -> None:
    """Replace entries of a JSON object in a file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | replaced))


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
