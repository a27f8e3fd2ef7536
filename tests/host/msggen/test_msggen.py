"""tools/msggen.py: what it refuses, and with which words."""
import importlib.util
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location('msggen', TOP / 'tools' / 'msggen.py')
msggen = importlib.util.module_from_spec(spec)
spec.loader.exec_module(msggen)

HEAD = 'service x 0x0100 level 1 "text"\n'


def refuse(source, words):
    with pytest.raises(msggen.MsgError) as caught:
        msggen.parse('x.msg', source, {'E_IO'})
    assert words in str(caught.value)


@pytest.mark.parametrize('source, words', [
    ('', 'no service'),
    (HEAD, 'no service with ops'),
    ('op a 1 "t"\n', 'x.msg:1: the first line must be'),
    ('service x 0x0101 level 1 "t"\n', 'multiple of 0x100'),
    (HEAD + 'op a 0 "t"\n', 'x.msg:2: the number of an op is in 1..255'),
    (HEAD + 'op a 1 "t"\nop b 1 "t"\n', "x.msg:3: op 'b' repeats"),
    (HEAD + 'op a 1 "t\n', 'closing quote'),
    (HEAD + '  in u32 a\n', 'before any op'),
    (HEAD + 'op a 1 "t"\n in u16 n\n', "no such type: 'u16'"),
    (HEAD + 'op a 1 "t"\n in u32 while\n', 'cannot name a field'),
    (HEAD + 'op a 1 "t"\n in u32 n\n out u32 n\n', 'appears twice'),
    (HEAD + 'op a 1 "t"\n in string s\n', 'needs a size'),
    (HEAD + 'op a 1 "t"\n in bytes s[4096]\n', 'inline bytes'),
    (HEAD + 'op a 1 "t"\n in optional u32 n\n', 'only a handle'),
    (HEAD + 'op a 1 "t"\n in optional handle h\n in handle i\n', 'last handle'),
    (HEAD + 'op a 1 "t"\n' + ''.join(f' in handle h{i}\n' for i in range(5)), 'more than 4 handles'),
    (HEAD + 'op a 1 "t"\n lend in a\n lend out b\n', 'only one Memory'),
    (HEAD + 'op a 1 "t"\n fail E_NONE\n', 'errno.def has no E_NONE'),
])
def test_refuses(source, words):
    refuse(source, words)


def test_the_tree_s_own_messages_are_generated_twice_alike(tmp_path):
    files = sorted(str(path) for path in (TOP / 'abi' / 'idl').glob('*.msg'))
    for name in ('a', 'b'):
        assert msggen.main(['-o', str(tmp_path / name), '--errors', str(TOP / 'abi' / 'errno.def')] + files) == 0
    for path in (tmp_path / 'a').rglob('*'):
        if path.is_file():
            assert path.read_text() == (tmp_path / 'b' / path.relative_to(tmp_path / 'a')).read_text()


def test_two_services_cannot_share_a_number(tmp_path, capsys):
    for name in ('one', 'two'):
        (tmp_path / f'{name}.msg').write_text(f'service {name} 0x0100 level 1 "t"\nop a 1 "t"\n')
    assert msggen.main(['-o', str(tmp_path), str(tmp_path / 'one.msg'), str(tmp_path / 'two.msg')]) == 1
    assert 'same name or number' in capsys.readouterr().err


def test_a_mistake_ends_the_program_with_its_place(tmp_path):
    bad = tmp_path / 'bad.msg'
    bad.write_text('service x\n')
    run = subprocess.run([sys.executable, TOP / 'tools' / 'msggen.py', '-o', tmp_path, bad], capture_output=True, text=True)
    assert run.returncode == 1 and 'bad.msg:1:' in run.stderr
