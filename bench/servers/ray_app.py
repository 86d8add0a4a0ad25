"""The handler of the bench on Ray Serve: two replicas behind one proxy. Usage: ray_app.py PORT TEMP_DIR.

Prints "ready" when it serves; ends when its standard input does. Ways of Ray (HAProxy, direct ingress)
are chosen by environment variables, which chains/ray.ts sets.
"""

import sys

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@serve.deployment(num_replicas=2, max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.1})
class Bench:
    async def __call__(self, request: Request) -> Response:
        path = request.url.path
        if path == "/small":
            return JSONResponse({"hello": "world"})
        body = await request.body()
        if path == "/echo":
            return Response(body, media_type="application/octet-stream")
        if path == "/length":
            return JSONResponse({"length": len(body)})
        return JSONResponse({"error": "no such path"}, status_code=404)


def main() -> None:
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=sys.argv[2],
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Bench.bind(), name="bench", route_prefix="/")
    print("ready", flush=True)
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()


main()
