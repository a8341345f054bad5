"""The command line, and the order of things: install, build, make weights, then round after
round every subject in turn, then the report."""

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

from . import bars, machine, models, peers, plan, report, traffic
from .guichet import Guichet
from .offline import Offline
from .places import ROOT, Failed, Places, default_peers
from .plan import GUICHET, TRANSFORMERS, VLLM, Cell
from .records import Records
from .reference import References, check
from .servers import Servers, free_port

DOCS = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    options = parse()
    if options.report is not None:
        return finish(Records.load(options.report), options.write_docs)
    # So that a run that is told to end takes its server with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    places = Places(options.peers.resolve())
    places.peers.mkdir(parents=True, exist_ok=True)
    try:
        run = Run.prepare(options, places)
    except Failed as error:
        print(f"bench-serve: {error}", file=sys.stderr)
        return 1
    for round_ in range(1, options.rounds + 1):
        run.round(round_)
    return finish(run.records, options.write_docs)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench-serve", description="Guichet beside its peers.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round: shows that all works")
    parser.add_argument("--rounds", type=int, help="times that every subject is measured [default: 3]")
    lists = {"--models": plan.MODELS, "--classes": plan.PRECISIONS, "--peers-list": plan.PEERS}
    for flag, known in lists.items():
        parser.add_argument(
            flag,
            type=partial(_names, known),
            default=list(known),
            metavar="LIST",
            help=f"some of {','.join(known)} [default: all]",
        )
    parser.add_argument("--only", choices=("offline", "http"), help="one half of the measures")
    parser.add_argument("--threads", type=int, default=2, help="of each subject [default: 2]")
    parser.add_argument("--peers", type=Path, default=default_peers(), help="where peers and weights are kept")
    parser.add_argument("--guichet", type=Path, help="a built server, instead of building one")
    parser.add_argument("--decoder-bench", type=Path, help="a built bench of the decoder, instead of building one")
    parser.add_argument("--out", type=Path, help="the JSON [default: bench-serve.json among the peers]")
    parser.add_argument("--resume", action="store_true", help="measure what the JSON lacks; same commit and machine")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--report", type=Path, help="measure nothing: show the JSON of an earlier run")
    options = parser.parse_args()
    if options.quick and options.write_docs:
        parser.error("a quick run's figures are not for the documentation")
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.out = options.out or options.peers / "bench-serve.json"
    return options


def _names(known, text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(known)}")
    return names


class Run:
    def __init__(self, options, places: Places, guichet: Guichet, found: peers.Peers, records: Records):
        self.is_offline, self.is_http = options.only != "http", options.only != "offline"
        self.peers, self.wanted, self.records, self.places = found, options.peers_list, records, places
        self.cells = plan.cells(options.models, options.classes, options.quick)
        self.servers = Servers(places, guichet, found, options.threads)
        self.offline = Offline(places, guichet, found, options.threads)
        self.references = References(self.servers)
        self.weights: dict[str, models.Weights] = {}

    @classmethod
    def prepare(cls, options, places: Places) -> "Run":
        about = {"machine": machine.describe(ROOT), "quick": options.quick, "rounds": options.rounds}
        found = peers.Peers(places)
        if about["machine"]["load_before"] > 0.5:
            found.note(f"the machine was busy when this run began (load {about['machine']['load_before']:.1f})")
        found.install(options.peers_list)
        guichet = Guichet(places, options.guichet, options.decoder_bench)
        if options.only != "offline":
            guichet.build_server()
        if options.only != "http":
            try:
                guichet.build_bench()
            except Failed as error:
                # The peers' figures are worth having all the same.
                found.note(f"Guichet has no figures without HTTP: {error}")
        about |= {"threads": options.threads, "models": options.models, "precisions": options.classes}
        about["versions"] = {GUICHET: guichet.version()} | {name: peers.VERSIONS[name] for name in options.peers_list}
        # Both grow while weights are made and servers start.
        about |= {"missing": found.missing, "notes": found.notes}
        is_resumed = options.resume and options.out.exists()
        records = Records.resumed(options.out, about) if is_resumed else Records(options.out, about)
        run = cls(options, places, guichet, found, records)
        for name in options.models:
            run.weights[name] = models.prepare(plan.MODELS[name], options.classes, places, found)
        return run

    def round(self, round_: int) -> None:
        for cell in self.cells:
            if self.is_offline:
                for subject in self.subjects(cell, round_, without=VLLM):
                    self._try(round_, cell, subject, "offline", self._measure_offline)
            if self.is_http:
                for subject in self.subjects(cell, round_, without=TRANSFORMERS):
                    self._try(round_, cell, subject, "http", self._measure_http)

    def subjects(self, cell: Cell, round_: int, without: str) -> list[str]:
        """Who is measured here. Another begins in each round, so that nobody is always first."""
        here = [peer for peer in self.wanted if peer != without and self.peers.has(peer) and cell.runs(peer)]
        everyone = [GUICHET, *here] if without == TRANSFORMERS or self.offline.guichet.bench else here
        if not everyone:
            return []
        first = (round_ - 1) % len(everyone)
        return everyone[first:] + everyone[:first]

    def _try(self, round_: int, cell: Cell, subject: str, what: str, measure) -> None:
        """A subject that fails costs its figure, not the run."""
        if not self.records.take_up(round_, cell, subject, what):
            return
        print(f"== round {round_}, {cell.name()}, {what}: {subject}", flush=True)
        try:
            measure(round_, cell, subject)
        except (Failed, RuntimeError, OSError) as error:
            print(f"!! {error}")
            self.records.add_failure(round_, cell, subject, what, self.places.shown(str(error)))

    def _measure_offline(self, round_: int, cell: Cell, subject: str) -> None:
        weights = self.weights[cell.model.name]
        for argv in self.offline.commands(subject, cell, weights):
            self._remember(cell, argv)
        figures, raw = self.offline.measure(subject, cell, weights)
        self._add(round_, cell, subject, figures, raw)

    def _measure_http(self, round_: int, cell: Cell, subject: str) -> None:
        weights, port = self.weights[cell.model.name], free_port()
        is_checked = self.records.is_checked(cell, subject)
        references = [] if is_checked else self.references.of(cell.model, weights)
        command = self.servers.command(subject, cell, weights, port)
        environment = [f"{name}={value}" for name, value in command.env.items()]
        self._remember(cell, [*environment, *(str(part).replace(str(port), "PORT") for part in command.argv)])
        with self.servers.running(command, port) as server:
            self._add(round_, cell, subject, {"ready_s": server.ready_s, "resident_mib": server.resident_mib()})
            if not is_checked:
                output = check(server, cell, weights, references)
                print(f"   outputs: {output['verdict']}, {output['agreement']:.0%} of positions")
                self.records.add_output(round_, cell, subject, output)
            for streams in cell.sizes.streams:
                figures, raw = traffic.measure(port, "bench", cell.sizes, streams)
                self._add(round_, cell, subject, figures, raw)
            self._add(round_, cell, subject, {"resident_after_mib": server.resident_mib()})

    def _remember(self, cell: Cell, argv: list) -> None:
        line = " ".join(str(part) for part in argv)
        for given in (self.servers.guichet.binary, self.offline.guichet.bench):
            # One that was given lies anywhere.
            line = line.replace(str(given), given.name) if given and not given.is_relative_to(ROOT) else line
        line = self.places.shown(line)
        self.records.commands[f"{cell.name()} {line}"] = line

    def _add(self, round_: int, cell: Cell, subject: str, figures: dict, raw: dict | None = None) -> None:
        self.records.add(round_, cell, subject, figures, raw)
        for measure, value in figures.items():
            print(f"   {measure} {value:.4g}")


def finish(records: Records, write_docs: bool) -> int:
    records.save(**report.summary(records))
    text = report.markdown(records)
    print(text)
    if write_docs:
        report.write_docs(DOCS, text)
    print(f"The figures of every round: {records.path}")
    return 1 if records.failures else 0


if __name__ == "__main__":
    sys.exit(main())
