"""The history checker finds each kind of wrong, and nothing wrong in a sound history."""
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("history", ROOT / "tools" / "history.py")
history = importlib.util.module_from_spec(spec)
spec.loader.exec_module(history)


def ran(client, n, kind, key="h/0"):
    return [(client, n, "invoke", key), (client, n, kind, key)]


SOUND = ran("a", 1, "ok") + ran("b", 1, "info") + ran("a", 2, "fail") + ran("a", 3, "ok", "h/1") + [("b", 2, "invoke", "h/0")]


def test_sound():
    complaints, counts = history.check({"h/0": "a.1,b.1,", "h/1": "a.3,"}, SOUND)
    assert complaints == []
    assert counts == {"ok": 2, "fail": 1, "open": 2}


@pytest.mark.parametrize("final, word", [
    ({"h/0": "b.1,", "h/1": "a.3,"}, "lost"),
    ({"h/0": "a.1,a.1,", "h/1": "a.3,"}, "twice"),
    ({"h/0": "a.1,a.2,", "h/1": "a.3,"}, "refused"),
    ({"h/0": "a.1,c.9,", "h/1": "a.3,"}, "nowhere"),
    ({"h/0": "b.2,b.1,a.1,", "h/1": "a.3,"}, "stands after"),
    ({"h/0": "a.1,a.3,", "h/1": ""}, "was sent to"),
    ({"h/0": "a.1,b", "h/1": "a.3,"}, "damaged"),
])
def test_wrong(final, word):
    complaints, _ = history.check(final, SOUND)
    assert any(word in c for c in complaints), complaints


def test_ends_without_beginning():
    assert history.check({}, [("a", 1, "ok", "k")])[0]


def test_cut_line_only_at_the_end(tmp_path):
    good = '{"p":"a","i":1,"t":"invoke","f":"append","k":"h/0","at":5}\n'
    path = tmp_path / "h"
    path.write_text(good + '{"p":"a","i"')
    assert history.read_events(path) == [("a", 1, "invoke", "h/0")]
    path.write_text('{"p":"a","i"\n' + good)
    with pytest.raises(ValueError):
        history.read_events(path)
