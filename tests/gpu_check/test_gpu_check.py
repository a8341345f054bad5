"""What the check of the GPU computes by itself, without any: `python3 -m unittest discover -s
tests/gpu_check`."""

import argparse
import contextlib
import io
import json
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from bench_serve.places import Failed  # noqa: E402
from bench_serve.traffic import Answer  # noqa: E402
from bench_serve.vocabulary import Vocabulary  # noqa: E402
from gpu_check import __main__ as command  # noqa: E402
from gpu_check import api, bars, checkpoints, invariance, kernels, load, parity, prompts  # noqa: E402
from gpu_check import serve, server, shapes, speed, stages, table  # noqa: E402
from gpu_check.errors import Errors, Parting, num_leading, partings  # noqa: E402
from gpu_check.job import Findings, Job  # noqa: E402

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
EVENTS = (
    b'data: {"choices":[{"text":" w00102"}],"usage":null}\n\ndata: {"choices":[{"text":" w00103"}],"usage":null}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


class Shapes(unittest.TestCase):
    def test_the_shapes_have_the_sizes_of_their_models(self):
        parameters = [shape.layer_weights() + 2 * shape.head_weights() for shape in shapes.SHAPES]
        self.assertEqual([round(count / 1e9, 2) for count in parameters], [8.03, 23.57])

    def test_a_step_reads_the_weights_once_and_the_cache_of_each_stream(self):
        shape = shapes.LLAMA_8B
        self.assertEqual(shape.decode_bytes(64, 1024) - shape.decode_bytes(1, 0), 64 * 1024 * 131_072)
        self.assertEqual(round(shape.decode_bytes(1, 0) / 1e9, 1), 15.0)

    def test_a_token_of_a_prefill_sees_those_up_to_itself(self):
        tiny = shapes.LLAMA_8B.tiny()
        one, two = tiny.prefill_operations(1), tiny.prefill_operations(2)
        per_key = 4 * tiny.layers * tiny.heads * tiny.head_dim
        self.assertEqual(two - one, 2 * tiny.layer_weights() + 2 * per_key)

    def test_a_cut_differs_in_its_layers_alone(self):
        for shape in shapes.SHAPES:
            whole, cut = shape.config(), shape.cut().config()
            self.assertEqual({key for key in whole if whole[key] != cut[key]}, {"num_hidden_layers"})


class Prompts(unittest.TestCase):
    def test_prompts_are_ordinary_tokens_of_both_extreme_lengths_and_always_the_same(self):
        vocab = shapes.LLAMA_8B.vocab
        asked = prompts.checked(vocab)
        self.assertEqual(asked, prompts.checked(vocab))
        self.assertEqual((len(asked), len(asked[0]), len(asked[1])), (16, 20, 700))
        self.assertTrue(all(prompts.FIRST_WORD <= id_ < vocab for ids in asked for id_ in ids))

    def test_about_half_of_the_tokens_are_likely_successors(self):
        vocab = shapes.LLAMA_8B.vocab
        among, pairs, likely = prompts.words(vocab), 0, 0
        for ids in prompts.checked(vocab):
            for token, following in zip(ids, ids[1:]):
                pairs += 1
                likely += following in {prompts.successor(token, offset, among) for offset in prompts.SUCCESSORS}
        self.assertTrue(0.45 < likely / pairs < 0.55)

    def test_a_successor_is_an_ordinary_token_and_that_of_one_alone(self):
        among = range(10, 110)
        for offset in prompts.SUCCESSORS:
            self.assertEqual({prompts.successor(token, offset, among) for token in among}, set(among))


class Checkpoints(unittest.TestCase):
    def test_every_id_has_a_text_of_its_own(self):
        with tempfile.TemporaryDirectory() as scratch:
            shape = shapes.LLAMA_8B.tiny()
            directory = checkpoints.write_directory(Path(scratch) / "made", shape)
            self.assertEqual(json.loads((directory / "config.json").read_text())["vocab_size"], shape.vocab)
            stored = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]
            self.assertEqual(sorted(stored.values()), list(range(shape.vocab)))
            known = Vocabulary(directory / "tokenizer.json")
            texts = ("<|end_of_text|>", " w00102", f" w{shape.vocab - 1:05x}")
            self.assertEqual([known.id(text) for text in texts], [0, prompts.FIRST_WORD, shape.vocab - 1])


class Comparisons(unittest.TestCase):
    def test_errors_are_over_all_positions(self):
        found = Errors.between([[-1.0, -2.0], [-3.0]], [[-1.5, -2.0], [-2.0]])
        self.assertEqual((found.mean, found.p99, found.largest, found.count), (0.5, 1.0, 1.0, 3))

    def test_what_is_missing_or_no_number_is_no_error_of_zero(self):
        with self.assertRaisesRegex(Failed, "as many"):
            Errors.between([[-1.0]], [[-1.0, -2.0]])
        with self.assertRaisesRegex(Failed, "no numbers"):
            Errors.between([[float("nan")]], [[-1.0]])

    def test_texts_are_compared_up_to_where_they_part(self):
        top = [[{1: -0.1}, {2: -0.5, 7: -0.6}, {3: -0.1}]] * 3
        found = partings([[1, 2, 3], [1, 7, 9], [8, 2, 3]], [[1, 2, 3]] * 3, top)
        self.assertEqual([(one.prompt, one.position) for one in found], [(1, 1), (2, 0)])
        self.assertAlmostEqual(found[0].gap, 0.1)
        self.assertIsNone(found[1].gap)
        self.assertEqual(num_leading([[1, 2, 3], [1, 7, 3]], [[1, 2, 3]] * 2), 4)

    def test_an_answer_that_ends_early_parts_there(self):
        (found,) = partings([[1]], [[1, 2]], [[{1: 0.0}, {2: 0.0}]])
        self.assertEqual((found.position, found.gap), (1, None))

    def test_a_near_tie_is_one_within_the_errors(self):
        self.assertTrue(Parting(0, 0, 0.1).is_near_tie(0.1))
        self.assertFalse(Parting(0, 0, 0.2).is_near_tie(0.1))
        self.assertFalse(Parting(0, 0, None).is_near_tie(0.1))

    def test_guichet_is_measured_by_torchs_own_error(self):
        step = [[1, -0.1], [2, -0.12]]
        told = {
            "f32": {"logprobs": [[-1.0, -2.0]], "greedy": [{"tokens": [1, 1], "top": [step, step]}]},
            "bf16": {"logprobs": [[-1.2, -2.2]], "greedy": [{"tokens": [1, 2], "top": []}]},
            "bf16_f32_head": {"logprobs": [[-1.1, -2.1]]},
        }
        found = parity.compare([[-1.1, -1.9]], [[2, 1]], told)
        self.assertAlmostEqual(found["mean_ratio"], 0.5)
        self.assertAlmostEqual(found["p99_ratio_f32_head"], 1.0)
        self.assertEqual((found["greedy"]["as_f32"], found["greedy"]["torch_as_f32"]), (0, 1))
        self.assertTrue(found["greedy"]["partings"][0]["near_tie"])

    def test_answers_that_differ_in_the_last_bit_differ(self):
        alone = [api.Said((1, 2), (-0.1, -0.2)), api.Said((1,), (-0.3,))]
        other = [alone[0], api.Said((1,), (-0.30000000000000004,))]
        self.assertEqual(invariance.same(alone, other), {"same": 1, "of": 2, "differing": [1]})


class Loads(unittest.TestCase):
    SIZES = load.Sizes(prompt_tokens=3, output_tokens=2, vocab=1000)

    def test_arrivals_come_at_their_rate_and_always_the_same(self):
        found = [one.due for one in load.arrivals(self.SIZES, 50.0, 0, 100.0, 120.0)]
        self.assertEqual(found, [one.due for one in load.arrivals(self.SIZES, 50.0, 0, 100.0, 120.0)])
        self.assertTrue(900 < len(found) < 1100)
        self.assertTrue(100.0 < found[0] and found[-1] < 120.0 and found == sorted(found))

    def test_requests_are_sent_when_they_are_due_and_read_to_their_ends(self):
        with self.serving(HEAD + EVENTS) as port:
            now = time.perf_counter()
            asked = [load.Request(now + 0.02 * index, load.content(self.SIZES, str(index), 2)) for index in range(4)]
            found = load.drive(port, iter(asked))
        self.assertEqual([answer.sent for answer in found.answers], [one.due for one in asked])
        self.assertEqual([(answer.tokens, len(answer.texts), answer.error) for answer in found.answers], [(2, 2, None)] * 4)
        self.assertTrue(all(0 <= late < 0.02 for late in found.late_s))

    def test_a_closed_loop_asks_again_only_after_an_answer(self):
        with self.serving(HEAD + EVENTS) as port:
            end = time.perf_counter() + 0.1
            asked = load._one_after_another(self.SIZES, 1, 0, 0.0, end)
            answers = load.drive(port, asked, at_once=1).answers
        self.assertGreater(len(answers), 1)
        for one, following in zip(answers, answers[1:]):
            self.assertLessEqual(one.ended, following.sent)

    def test_who_is_refused_is_counted(self):
        with self.serving(b"HTTP/1.1 503 Busy\r\n\r\n{}") as port:
            asked = iter([load.Request(0.0, load.content(self.SIZES, "a", 2))])
            (answer,) = load.drive(port, asked).answers
        self.assertIn("status 503", answer.error)

    @contextlib.contextmanager
    def serving(self, said: bytes):
        """One connection at a time, each with the same answer."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(said)

            threading.Thread(target=answer, daemon=True).start()
            yield listener.getsockname()[1]
            # Closing it alone would not wake who waits in it.
            listener.shutdown(socket.SHUT_RDWR)

    def test_figures_are_of_who_came_after_the_ramp(self):
        early = Answer(sent=0.0, texts=[1.0, 9.0], ended=9.0, tokens=2)
        late = [Answer(sent=10.0, texts=[11.0, 11.1, 11.2, 11.4], ended=11.4, tokens=4)] * 2
        failed = Answer(sent=10.0, ended=10.0, error="busy")
        found = serve.figures([early, *late, failed], 10.0)
        self.assertEqual((found["requests"], found["errors"], found["ttft_p50"]), (3, 1, 1.0))
        self.assertAlmostEqual(found["itl_p99_ratio"], 2.0)
        self.assertAlmostEqual(found["tok_s"], 8 / 1.4)

    def test_a_rate_counts_the_tokens_between_two_times(self):
        answers = [Answer(sent=0.0, texts=[0.5, 1.5, 2.5, 3.5], ended=3.5, tokens=4)]
        self.assertEqual(serve.rate(answers, 1.0, 3.0), 1.0)
        with self.assertRaisesRegex(Failed, "busy"):
            serve.rate([Answer(sent=0.0, error="busy")], 1.0, 3.0)


class Stages(unittest.TestCase):
    def job(self, **more) -> Job:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        return Job(out=Path(scratch.name) / "out", work=Path(scratch.name) / "work", **more)

    def run_stage(self, job: Job, **more) -> dict:
        stage = stages.Stage(**({"name": "kernels", "run": kernels.run, "budget_s": 1, "about": "x"} | more))
        with contextlib.redirect_stdout(io.StringIO()), mock.patch.dict(stages.STAGES, {stage.name: stage}):
            stages._run(stage.name, job)
        return json.loads((job.out / f"{stage.name}.json").read_text())

    def test_a_stage_without_its_program_is_skipped(self):
        left = self.run_stage(self.job())
        self.assertEqual((left["status"], left["why"]), ("skipped", "no --tests were given"))

    def test_a_stage_that_fails_keeps_what_it_found(self):
        def run(_job, found):
            found.add("one", 1)
            raise ValueError("oh")

        left = self.run_stage(self.job(), run=run)
        self.assertEqual((left["status"], left["why"], left["figures"]), ("failed", "ValueError: oh", {"one": 1}))

    def test_a_stage_that_was_killed_is_told_of(self):
        job = self.job()
        found = Findings(job.out / "serve.json")
        found.add("alone", {})
        with contextlib.redirect_stdout(io.StringIO()):
            stages._say_how_it_ended(found.path, "its 3 s were over", 3.0)
            stages._say_how_it_ended(job.out / "speed.json", "its process ended with status -9", 1.0)
        results = command.found_in([job.out])
        self.assertEqual((results["serve"]["why"], results["serve"]["figures"]), ("its 3 s were over", {"alone": {}}))
        self.assertEqual(results["speed"]["status"], "broken off")
        self.assertEqual(results["speed"]["why"], "its process ended with status -9")

    def test_results_of_tests_are_added_up(self):
        said = "test a::b ... FAILED\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n"
        said += "test result: ok. 3 passed; 0 failed;\n"
        found = kernels.tests(said, 101)
        self.assertEqual((found["passed"], found["failed"], found["failures"]), (5, 1, ["a::b"]))
        self.assertEqual(kernels.sanitized("= ERROR SUMMARY: 0 errors\n", 0), {"errors": 0, "status": 0})
        self.assertIsNone(kernels.sanitized("no such device", 1)["errors"])

    def test_a_server_is_told_of_its_device_only_where_there_is_one(self):
        job = self.job()
        found = server.environ(job, deterministic=False, is_random=True)
        asked = {key.removeprefix("GUICHET_MODEL__"): value for key, value in found.items() if "MODEL" in key}
        self.assertEqual(asked, {"DEVICE": "cuda", "DETERMINISTIC": "false", "WEIGHTS": "random:1"})
        self.assertFalse(any("MODEL" in key for key in server.environ(self.job(is_try=True), True, True)))

    def test_options_are_read_and_slips_refused(self):
        self.assertEqual(command.stage_names("serve,reference"), ["reference", "serve"])
        self.assertEqual(command.budgets("serve=9,speed=1.5"), {"serve": 9.0, "speed": 1.5})
        for read, text in ((command.stage_names, "sevre"), (command.budgets, "serve"), (command.executable, "/no/such")):
            with self.assertRaises(argparse.ArgumentTypeError):
                read(text)


class Tables(unittest.TestCase):
    LIMITS = {"copy_bytes_s": 4.3e12, "read_bytes_s": 4.4e12, "matmul_operations_s": 700e12}

    def result(self, figures: dict, status: str = "done", why: str | None = None) -> dict:
        return {"status": status, "why": why, "seconds": 1.0, "figures": figures}

    def speeds(self, **tok_s: float) -> dict:
        said = {"decode": {"1": tok_s["alone"], "64": 7000.0}, "prefill": {"1024": 20_000.0, "8192": tok_s["prefill"]}}
        return speed.figures(said, shapes.LLAMA_8B, self.LIMITS)

    def test_a_speed_is_a_part_of_what_the_gpu_can_do(self):
        found = self.speeds(alone=250.0, prefill=24_000.0)
        self.assertAlmostEqual(found["decode.1"]["of_copy_bytes_s"], 250 * 15.0e9 / 4.3e12, places=2)
        self.assertAlmostEqual(found["prefill.8192"]["of_matmul_operations_s"], 24_000 / 8192 * 131.9e12 / 700e12, places=2)
        self.assertAlmostEqual(found["prefill.1024"]["s"], 1024 / 20_000)

    def test_a_speed_may_be_reached_in_either_way_and_the_price_stands_beside(self):
        bound, free = self.speeds(alone=200.0, prefill=20_000.0), self.speeds(alone=250.0, prefill=24_000.0)
        figures = {"limits": self.LIMITS, "llama-8b True": bound, "llama-8b False": free}
        lines = {line.what: line for line in bars.lines({"speed": self.result(figures)})}
        self.assertEqual(lines["llama-8b decode.1"].figure, "deterministic 200 tok/s 70%; free 250 tok/s 87%")
        self.assertTrue(lines["llama-8b decode.1"].passed)
        self.assertTrue(lines["llama-8b prefill.8192"].passed)
        self.assertFalse(lines["llama-8b prefill.1024"].passed)
        self.assertIn("decode.1 20.0%", lines["what deterministic costs"].figure)

    def test_smaller_weights_have_a_smaller_least_and_lines_of_their_own(self):
        found = speed.figures({"decode": {"1": 500.0}}, shapes.LLAMA_8B, self.LIMITS, "int4")
        layers, head = shapes.LLAMA_8B.layer_weights(), shapes.LLAMA_8B.head_weights()
        expected = 500 * (layers * 4.5 + head * 8.25) / 8 / 4.3e12
        self.assertAlmostEqual(found["decode.1"]["of_copy_bytes_s"], expected, places=2)
        (line,) = bars.lines({"speed": self.result({"llama-8b int4": found})})
        self.assertEqual((line.what, line.passed), ("llama-8b int4 decode.1", None))
        self.assertIn("500 tok/s 5", line.figure)

    def test_without_limits_no_part_is_reached(self):
        figures = {"llama-8b True": speed.figures({"decode": {"1": 1e9}}, shapes.LLAMA_8B, {})}
        (line,) = bars.lines({"speed": self.result(figures)})
        self.assertFalse(line.passed)

    def test_bit_for_bit_means_all_of_them(self):
        variants = {"at once": {"same": 16, "of": 16}, "in streams": {"same": 15, "of": 16}}
        lines = bars.lines({"invariance": self.result({"deterministic": variants, "free": variants})})
        self.assertEqual([line.passed for line in lines], [False, None])
        self.assertIn("31/32 identical in 2 variants; fewer: in streams 15", lines[0].figure)

    def test_streams_are_even_only_if_none_failed(self):
        figures = serve.figures([Answer(sent=0.0, texts=[1.0, 1.1, 1.2], ended=1.2, tokens=3)], 0.0) | {"client_busy": 0.1}
        for errors, passed in ((0, True), (1, False)):
            lines = bars.lines({"serve": self.result({"open": figures | {"errors": errors}})})
            self.assertEqual([line.passed for line in lines if line.bar], [passed])

    def test_a_stage_that_failed_is_a_line_that_is_missed_and_a_skipped_one_is_not(self):
        results = {"torch": self.result({}, "failed", "out of memory"), "kernels": self.result({}, "skipped", "no tests")}
        lines = bars.lines(results)
        self.assertEqual([(line.must, line.passed) for line in lines], [(2, None), (3, False)])
        self.assertIn("failed: out of memory", lines[1].figure)

    def test_the_table_is_one_line_a_figure(self):
        lines = [bars.Line(3, "one", "a | b\nc", "≥ 1", True), bars.Line(4, "another", "x", passed=False)]
        rows = table.text(lines).splitlines()
        self.assertEqual(rows[2], "| 3    | one     | a / b c | ≥ 1 | yes |")
        self.assertEqual(rows[-1], "1 reached, 1 missed.")
        self.assertEqual(len({row.rindex("|", 0, -1) for row in rows[:4] if "---" not in row}), 1)

    def test_tables_of_several_runs_are_one(self):
        with tempfile.TemporaryDirectory() as scratch:
            for name in ("speed", "serve"):
                Findings(Path(scratch) / name / f"{name}.json").end("skipped", "no program")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = command.finish(command.found_in([Path(scratch) / "speed", Path(scratch) / "serve"]), None)
        self.assertEqual(code, 0)
        self.assertIn("stage speed", said.getvalue())
        self.assertIn("stage serve", said.getvalue())


if __name__ == "__main__":
    unittest.main()
