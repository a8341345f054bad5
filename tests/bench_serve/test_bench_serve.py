"""What the bench of servers computes by itself, without any server: `python3 -m unittest discover
-s tests/bench_serve`."""

import socket
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from bench_serve import bars, guichet, offline, plan, reference, report, sse, traffic, vocabulary  # noqa: E402
from bench_serve.places import Failed  # noqa: E402
from bench_serve.records import Records  # noqa: E402

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = (
    b': still computing\n\ndata: {"choices":[{"text":""}]}\n\ndata: {"choices":[{"text":"a"}],"usage":null}\n\n'
    b'data: {"choices":[{"text": "b\\"text\\":"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":143,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Streams(unittest.TestCase):
    def test_events_are_the_same_however_the_bytes_are_cut(self):
        for chunk in (5, 40, 1000):
            whole = HEAD + chunked(EVENTS, chunk)
            for step in (1, 7, len(whole)):
                stream = sse.EventStream()
                events = [e for at in range(0, len(whole), step) for e in stream.feed(whole[at : at + step])]
                self.assertEqual([sse.has_text(event) for event in events], [False, True, True, False])
                self.assertEqual(sse.usage(events[-1]), {"prompt_tokens": 143, "completion_tokens": 2})
                self.assertEqual([sse.usage(event) for event in events[:-1]], [{}, {}, {}])
                self.assertTrue(stream.is_done)

    def test_a_refusal_is_no_event(self):
        stream = sse.EventStream()
        self.assertEqual(stream.feed(b'HTTP/1.1 503 Busy\r\n\r\n{"error":{}}\n\n'), [])
        self.assertEqual((stream.status, stream.is_done), (503, False))

    def test_a_percentile_is_one_of_the_values(self):
        values = [float(value) for value in range(1, 101)]
        self.assertEqual([traffic.percentile(values, p) for p in (1, 50, 99, 100)], [1, 50, 99, 100])
        self.assertEqual(traffic.percentile([3.0], 99), 3.0)

    def test_figures_come_from_all_answers(self):
        answers = [
            traffic.Answer(sent=0.0, texts=[1.0, 1.5, 2.0], ended=2.0, tokens=3),
            traffic.Answer(sent=1.0, texts=[4.0], ended=4.0, tokens=3),
        ]
        found = traffic.figures(answers, 2)
        self.assertEqual(found["http.2.tok_s"], 6 / 4)
        self.assertEqual((found["http.2.ttft_p50"], found["http.2.ttft_p99"]), (2.0, 3.0))
        self.assertEqual(found["http.2.itl_p50"], 0.5)

    def test_no_two_prompts_begin_alike(self):
        first = [traffic.prompt(f"load 16 {index}", 143)[0] for index in range(64)]
        self.assertGreater(len(set(first)), 60)
        self.assertEqual(traffic.prompt("a", 5), traffic.prompt("a", 5))

    def test_load_asks_as_often_as_it_was_told_and_sees_who_fails(self):
        answers = [HEAD + chunked(EVENTS, 30), b"HTTP/1.1 500 Oh\r\n\r\nno", HEAD + chunked(EVENTS, 30)]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self.serve, args=(listener, answers), daemon=True).start()
            port = listener.getsockname()[1]
            contents = [traffic.request(port, "m", [1, 2], 2)] * len(answers)
            got, _ = traffic.drive(port, contents, 1)
        self.assertEqual([answer.tokens for answer in got], [2, 0, 2])
        self.assertEqual([answer.error is None for answer in got], [True, False, True])
        self.assertIn("status 500", got[1].error)

    @staticmethod
    def serve(listener, answers):
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)


class Outputs(unittest.TestCase):
    REFERENCE = reference.Continuation([9], [1, 2, 3, 4], [{1: -0.1}, {2: -0.5, 7: -0.6}, {3: -0.1}, {4: -0.1}])

    def test_one_near_tie_costs_one_position(self):
        asked = []

        def ask(ids, tokens):
            asked.append(ids)
            return [1, 7, 8, 8] if len(ids) == 1 else [3, 4]

        found = reference.follow(ask, self.REFERENCE, 32)
        self.assertEqual(found, {"agreed": 3, "leading": 1, "gaps": [0.1]})
        self.assertEqual(asked, [[9], [9, 1, 2]])

    def test_a_server_that_says_anything_else_differs(self):
        found = reference.follow(lambda ids, tokens: [5] * tokens, self.REFERENCE, 32)
        self.assertEqual((found["agreed"], found["leading"], len(found["gaps"])), (0, 0, 4))
        found = reference.follow(lambda ids, tokens: [], self.REFERENCE, 32)
        self.assertEqual((found["agreed"], found["gaps"]), (0, [None] * 4))

    def test_the_rule_binds_where_the_reference_means_something(self):
        def verdict(model, precision, agreement):
            model = plan.MODELS[model]
            return reference.verdict(plan.Cell(model, plan.PRECISIONS[precision], model.sizes), agreement)

        self.assertEqual(verdict("smollm2", "bf16", 0.89), "differs")
        self.assertEqual(verdict("smollm2", "bf16", 0.90), "agrees")
        self.assertEqual(verdict("smollm2", "int4", 0.1), "reported")
        self.assertEqual(verdict("l1b", "bf16", 0.1), "reported")

    def test_the_fixture_has_four_continuations(self):
        found = reference.from_fixture()
        self.assertEqual([len(continuation.tokens) for continuation in found], [32] * 4)
        for continuation in found:
            self.assertEqual([max(top, key=top.get) for top in continuation.top], continuation.tokens)

    def test_tokens_are_known_by_how_they_are_shown(self):
        known = vocabulary.Vocabulary(Path(__file__).resolve().parents[1] / "fixtures" / "tiny-llama" / "tokenizer.json")
        self.assertIsNotNone(known.id(" the"))
        self.assertIsNotNone(known.id("bytes:\\xc3"))
        self.assertIsNone(known.id("no such token"))


class Figures(unittest.TestCase):
    def records(self) -> Records:
        about = {"models": ["smollm2"], "precisions": ["bf16"], "quick": False, "rounds": 3, "threads": 2}
        about |= {"missing": {"vllm": "no wheel"}, "notes": [], "versions": {"guichet": "0"}}
        about["machine"] = {"date": "today", "commit": "c" * 40, "changed_files": 0, "cpu": "x", "cores": 2}
        about["machine"] |= {"memory_gib": 1, "kernel": "6", "features": []}
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        return Records(Path(self.scratch.name) / "out.json", about)

    def measured(self, ours: list[float], theirs: list[float], measure: str, peer: str = "llama.cpp") -> Records:
        records = self.records()
        cell = plan.cells(["smollm2"], ["bf16"], False)[0]
        for subject, values in (("guichet", ours), (peer, theirs)):
            for round_, value in enumerate(values, 1):
                records.add(round_, cell, subject, {measure: value})
        return records

    def test_a_bar_compares_medians(self):
        bar = bars.Bar("smollm2", "decode.1", "bf16", "llama.cpp", 1.2)
        self.assertTrue(bars.judge(bar, self.measured([1, 121, 500], [1, 100, 900], "decode.1"))["passed"])
        self.assertFalse(bars.judge(bar, self.measured([119], [100], "decode.1"))["passed"])
        self.assertIsNone(bars.judge(bar, self.measured([119], [], "decode.1"))["passed"])

    def test_a_table_says_how_often_its_model_was_measured(self):
        records = self.measured([1, 2, 3], [1, 1], "decode.1")
        self.assertIn("### SmolLM2 135M, 3 rounds\n", report.markdown(records))

    def test_a_time_has_to_be_small(self):
        bar = bars.Bar("smollm2", "http.16.ttft_p50", "bf16", "vllm", 0.75)
        self.assertTrue(bars.judge(bar, self.measured([0.7], [1.0], bar.measure, "vllm"))["passed"])
        self.assertFalse(bars.judge(bar, self.measured([0.8], [1.0], bar.measure, "vllm"))["passed"])

    def test_near_the_roofline_is_enough(self):
        records = self.measured([100], [100], "decode.1")
        cell = plan.cells(["smollm2"], ["bf16"], False)[0]
        records.add(1, cell, "guichet", {"roofline.decode.1": 120})
        judged = bars.judge(bars.Bar("smollm2", "decode.1", "bf16", "llama.cpp", 1.2), records)
        self.assertEqual((judged["passed"], judged["why"]), (True, "83% of the roofline"))

    def test_figures_of_a_server_that_differs_count_for_nobody(self):
        records = self.measured([200], [100], "decode.1")
        cell = plan.cells(["smollm2"], ["bf16"], False)[0]
        bar = bars.Bar("smollm2", "decode.1", "bf16", "llama.cpp", 1.2)
        records.add_output(1, cell, "llama.cpp", {"verdict": "differs", "agreement": 0.1, "leading": [1]})
        self.assertIsNone(bars.judge(bar, records)["passed"])
        self.assertIsNone(bars.best_peer(records, "smollm2", "bf16", "decode.1"))
        records.add_output(1, cell, "guichet", {"verdict": "differs", "agreement": 0.1, "leading": [1]})
        self.assertFalse(bars.judge(bar, records)["passed"])

    def test_the_table_says_who_is_missing_and_survives_the_disk(self):
        records = self.measured([300], [100], "http.16.tok_s")
        records.save(**report.summary(records))
        text = report.markdown(Records.load(records.path))
        self.assertIn("| HTTP, 16 streams: output tok/s | bf16 | 300 | 100 | 3.00× | ≥ 2× llama.cpp: yes (3.00×)", text)
        self.assertIn("≥ 1.4× vllm: not measured", text)
        self.assertIn("vllm is missing: no wheel", text)

    def test_a_resumed_run_measures_what_is_left_and_nothing_twice(self):
        left = self.records()
        cell = plan.cells(["smollm2"], ["bf16"], False)[0]
        left.add(1, cell, "guichet", {"prefill.512": 1.0, "decode.1": 1.0})
        left.add(1, cell, "guichet", {"ready_s": 1.0})
        left.add(1, cell, "llama.cpp", {"ready_s": 1.0})
        left.add(1, cell, "llama.cpp", {"resident_after_mib": 1.0})
        left.add_failure(2, cell, "guichet", "http", "it hung")
        now = self.records().about | {"models": ["l1b"], "rounds": 2, "missing": {}}
        records = Records.resumed(left.path, now)
        self.assertEqual((records.about["models"], records.about["rounds"]), (["smollm2", "l1b"], 3))
        self.assertEqual(records.about["missing"], {"vllm": "no wheel"})
        self.assertFalse(records.take_up(1, cell, "guichet", "offline"))
        self.assertFalse(records.take_up(1, cell, "llama.cpp", "http"))
        # It was broken off while it was measured.
        self.assertTrue(records.take_up(1, cell, "guichet", "http"))
        self.assertEqual(records.values("smollm2", "bf16", "guichet", "ready_s"), [])
        self.assertEqual(records.values("smollm2", "bf16", "guichet", "decode.1"), [1.0])
        self.assertTrue(records.take_up(2, cell, "guichet", "http"))
        self.assertEqual(records.failures, [])

    def test_a_run_of_another_build_cannot_be_resumed(self):
        left = self.records()
        left.save()
        other = self.records().about
        other["machine"]["commit"] = "d" * 40
        with self.assertRaisesRegex(Failed, "another machine.commit"):
            Records.resumed(left.path, other)

    def test_the_page_keeps_what_stands_around_the_tables(self):
        page = self.records().path.with_name("page.md")
        page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        report.write_docs(page, "new\n")
        report.write_docs(page, "newer\n")
        self.assertEqual(page.read_text(), f"before\n{report.BEGIN}\n\nnewer\n\n{report.END}\nafter\n")

    def test_each_program_is_read_in_its_own_words(self):
        bench = '[{"n_prompt": 512, "n_gen": 0, "avg_ts": 1400.5}, {"n_prompt": 0, "n_gen": 128, "avg_ts": 105.0}]'
        batched = '\nmain: note\n{"pp": 512, "tg": 32, "pl": 16, "speed_pp": 1.0, "speed_tg": 564.0}\n'
        self.assertEqual(
            offline.read_llama_cpp([bench, batched]), {"prefill.512": 1400.5, "decode.1": 105.0, "decode.16": 564.0}
        )
        ours = '{"prefill": {"512": 9}, "decode": {"1": 8}, "roofline": {"decode": {"1": 10}, "http": {"16": 7}}}'
        self.assertEqual(
            offline.read_guichet([ours]), {"prefill.512": 9.0, "decode.1": 8.0, "roofline.decode.1": 10.0, "roofline.http.16.tok_s": 7.0}
        )

    def test_cargo_names_the_executable(self):
        said = '{"reason":"x","target":{"name":"guichet"},"executable":null}\nnoise\n'
        said += '{"target":{"name":"guichet"},"executable":"/a/guichet"}\n'
        self.assertEqual(guichet.executable(said, "guichet"), Path("/a/guichet"))


if __name__ == "__main__":
    unittest.main()
