"""The protocol's inference route on aiohttp's server, one ONNX Runtime session in a thread."""

import asyncio
import sys
from pathlib import Path

import onnxruntime as ort
import orjson
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))
from shared import SESSION_THREADS, answer, inputs_of

folder, port = Path(sys.argv[1]), int(sys.argv[2])
options = ort.SessionOptions()
options.intra_op_num_threads = SESSION_THREADS
session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


async def infer(request: web.Request) -> web.Response:
    rows = inputs_of(orjson.loads(await request.read()))
    outputs = await asyncio.to_thread(session.run, None, {"image": rows})
    body = orjson.dumps(answer(outputs[0]), option=orjson.OPT_SERIALIZE_NUMPY)
    return web.Response(body=body, content_type="application/json")


async def ready(_: web.Request) -> web.Response:
    return web.json_response({"ready": True})


app = web.Application(client_max_size=16 << 20)
app.add_routes([web.post("/v2/models/tiny/infer", infer), web.get("/v2/health/ready", ready)])
web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)
