"""PaddleSlim's AutoCompression on an inference program: `peer_act.py PROGRAM TRAIN OUTPUT`.

Quantisation-aware training with distillation from the float program, as its documentation recommends for
image classification.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from compression_jobs.framework import paddle

# isort: split
from paddleslim.auto_compression import AutoCompression

program, train, output = map(Path, sys.argv[1:])
images = np.load(train)["images"]
NAME = "images"
STEPS, BATCH = 120, 32


class Images(paddle.io.Dataset):
    """One image at a time."""

    def __getitem__(self, index):
        return images[index]

    def __len__(self):
        return len(images)


def batches():
    """Feeds by the program's own input name."""
    loader = paddle.io.DataLoader(Images(), batch_size=BATCH, shuffle=True, drop_last=True)
    for (batch,) in loader:
        yield {feed: np.asarray(batch)}


paddle.enable_static()
executor = paddle.static.Executor(paddle.CPUPlace())
_, feeds, fetches = paddle.static.load_inference_model(str(program), executor)
(feed,) = feeds
paddle.disable_static()

compressed = output.with_name("act-folder")
AutoCompression(
    model_dir=str(program.parent),
    model_filename=f"{program.name}.pdmodel",
    params_filename=f"{program.name}.pdiparams",
    save_dir=str(compressed),
    config={
        "QuantAware": {
            "use_pact": False,
            "activation_bits": 8,
            "weight_bits": 8,
            "activation_quantize_type": "moving_average_abs_max",
            "weight_quantize_type": "channel_wise_abs_max",
            "quantize_op_types": ["conv2d", "depthwise_conv2d", "mul", "matmul", "matmul_v2"],
            "onnx_format": True,
        },
        "Distillation": {"alpha": 1.0, "loss": "soft_label", "node": [fetches[0].name]},
        "TrainConfig": {
            "train_iter": STEPS,
            "eval_iter": STEPS,
            "learning_rate": 0.0001,
            "optimizer_builder": {"optimizer": {"type": "Adam"}},
        },
    },
    train_dataloader=batches,
    eval_dataloader=None,
).compress()
for suffix in ("pdmodel", "pdiparams"):
    found = max(compressed.rglob(f"*.{suffix}"))
    shutil.copy(found, output.with_name(f"{output.name}.{suffix}"))
