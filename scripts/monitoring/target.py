"""Two targets for a Prometheus to scrape, with counters that begin anew and a load that goes up and down.

The addresses are written to the file that is named, as a list for its configuration.
"""

import math
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEGIN = time.time()


def figures(instance):
    passed = time.time() - BEGIN
    # The first instance restarts every 20 seconds.
    since = passed % 20 if instance == 0 else passed
    load = 50 + 30 * math.sin(passed / 7 + instance) + instance * 10
    return (
        "# TYPE demo_requests_total counter\n"
        f'demo_requests_total{{code="200"}} {int(since * 90)}\n'
        f'demo_requests_total{{code="503"}} {int(since * 3)}\n'
        "# TYPE demo_load gauge\n"
        f"demo_load {load}\n"
    ).encode()


def serve(instance):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = figures(instance)
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


addresses = [serve(instance) for instance in range(2)]
with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write(", ".join(f"'{address}'" for address in addresses))
threading.Event().wait()
