"""`python -m simulator`: run Telegram in a box on this machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from simulator import demo, snapshot
from simulator.engine import Engine
from simulator.errors import ControlError
from simulator.graph import demo as graph_demo
from simulator.settings import POLICIES, Settings, change_settings
from simulator.web.app import create_app


def arguments(given: list[str]) -> argparse.Namespace:
    """The command line, with its defaults from the environment."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    port = int(os.environ.get("SIMULATOR_PORT", "8081"))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name it may be called by; may be repeated"
    )
    parser.add_argument("--port", type=int, default=port, help="port (SIMULATOR_PORT, default 8081; 0: any)")
    parser.add_argument("--bot", action="append", default=[], metavar="TOKEN:USERNAME", help="a bot; may be repeated")
    parser.add_argument("--data", metavar="FILE", help="append the accepted log to this file, a JSON object per line")
    parser.add_argument("--state", metavar="FILE", type=Path, help="keep people, chats and messages in this file")
    parser.add_argument(
        "--rates", choices=POLICIES, default="strict", help="policy of the limits (default %(default)s)"
    )
    parser.add_argument("--webhook-speed", type=float, default=1.0, help="divides the waits between webhook retries")
    parser.add_argument("--strict-webhooks", action="store_true", help="want https and Telegram's ports")
    parser.add_argument(
        "--mtproto-port",
        default=os.environ.get("SIMULATOR_MTPROTO_PORT", "4430"),
        metavar="PORT",
        help="port for people's accounts (SIMULATOR_MTPROTO_PORT, default 4430; 0: any; off: none)",
    )
    parser.add_argument("--account-log", metavar="FILE", help="append the log of the accounts' calls to this file")
    parser.add_argument("--seed", type=int, help="make generated ids repeatable")
    parser.add_argument("--empty", action="store_true", help="without the demo people and groups")
    parser.add_argument(
        "--graph-site", default="", metavar="ADDRESS", help="where the demo application of Meta's has its events sent"
    )
    parser.add_argument("--ready-file", metavar="FILE", type=Path, help="write the address there once it listens")
    return parser.parse_args(given)


def build(options: argparse.Namespace) -> Engine:
    """The engine that the command line describes. Raises ControlError for a bot that is none."""
    settings = Settings()
    change_settings(
        settings,
        {
            "rates": options.rates,
            "webhook_speed": options.webhook_speed,
            "strict_webhooks": options.strict_webhooks,
        },
    )
    engine = Engine(settings, options.data, options.seed, options.account_log)
    for bot in options.bot:
        token, _, username = bot.rpartition(":")
        engine.world.add_bot(token, username)
    if not options.bot:
        engine.world.add_bot(demo.TOKEN, demo.USERNAME, demo.NAME)
    return engine


async def start_mtproto(engine: Engine, host: str, port: str) -> None:
    """Listen for people's accounts, unless the port is `off`. Raises ValueError for what is no port."""
    if port == "off":
        return
    # Its library is large: a simulator without accounts starts faster and needs 100 MB less.
    from simulator.mtproto.server import Server

    engine.mtproto = Server(engine.world, engine.account_settings, engine.account_faults, engine.account_journal)
    await engine.mtproto.start(host, int(port))


async def serve(options: argparse.Namespace) -> None:
    """Listen until SIGTERM or SIGINT."""
    engine = build(options)
    if options.state is not None and options.state.exists():
        snapshot.load(engine.world, options.state.read_bytes())
    if not options.empty:
        demo.populate(engine.world)
        graph_demo.populate(engine.graph, options.graph_site)
    app = create_app(engine, options.state, [*options.allow_host, options.host])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port, backlog=1024)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await start_mtproto(engine, options.host, options.mtproto_port)
        await site.start()
        port = runner.addresses[0][1]
        address = f"http://{options.host}:{port}"
        if options.ready_file is not None:
            temporary = options.ready_file.with_suffix(".new")
            temporary.write_text(address)
            temporary.replace(options.ready_file)
        bots = ", ".join(f"@{bot.username}" for bot in engine.world.bots.values())
        accounts = f", accounts at port {engine.mtproto.address[1]}" if engine.mtproto is not None else ""
        print(f"Telegram in a box at {address} for {bots}{accounts}", flush=True)
        await ended.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """The entry point."""
    options = arguments(sys.argv[1:])
    try:
        asyncio.run(serve(options))
    except (ControlError, OSError, ValueError) as error:
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
