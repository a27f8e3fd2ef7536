#!/usr/bin/env python3
"""msggen: from abi/idl/*.msg to C. The language is described in abi/idl/README.md.

For a service X it writes into the output folder
    idl/X_codec.h    numbers, the structs that a message's fields are read into, encoders and decoders: pure, for kernel too
    idl/X.h          client stubs and, for servers, the table of handlers and its dispatcher (needs libos)
    idl/X_client.c   the stubs
    idl/X_server.c   the dispatcher
and for all services together
    idl/ops.def      IDL_OP(number, service, op, level) for tracing
"""
import argparse
import os
import re
import sys

WORDS_MAX, BYTES_MAX, HANDLES_MAX = 6, 4096, 4
SCALARS = {'u32': ('uint32_t', 'UINT32_MAX'), 'u64': ('uint64_t', 'UINT64_MAX'),
           'i64': ('int64_t', 'UINT64_MAX'), 'bool': ('bool', '1')}
RESERVED = set('auto break case char const continue default do double else enum extern float for goto if inline int long '
               'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile '
               'while service deadline m in out err'.split())


class MsgError(Exception):
    """A mistake in a .msg file; its text names file and line."""


class Field:
    def __init__(self, kind, name, size=0, optional=False, lend=None):
        self.kind, self.name, self.size, self.optional, self.lend = kind, name, size, optional, lend

    scalar = property(lambda self: self.kind in SCALARS)
    block = property(lambda self: self.kind in ('string', 'bytes'))
    tail = property(lambda self: 1 if self.kind == 'string' else 0)


class Op:
    def __init__(self, name, number, text):
        self.name, self.number, self.text = name, number, text
        self.ins, self.outs, self.fails = [], [], []


class Service:
    def __init__(self, name, number, level, text, path):
        self.name, self.number, self.level, self.text, self.path = name, number, level, text, path
        self.ops = []


# --- reading -----------------------------------------------------------------------------------------------------------

def check_name(name):
    if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
        raise MsgError(f"'{name}' is no name: lower case letters, digits and _ are expected")
    return name


def parse_field(words):
    optional = words[:1] == ['optional']
    words = words[1:] if optional else words
    if len(words) != 2:
        raise MsgError('a field is: in|out TYPE NAME')
    kind, name = words
    if optional and kind != 'handle':
        raise MsgError('only a handle can be optional')
    if kind in SCALARS or kind == 'handle':
        return Field(kind, check_field_name(name), optional=optional)
    match = re.fullmatch(r'([a-z0-9_]+)\[(\d+)\]', name)
    if kind not in ('string', 'bytes'):
        raise MsgError(f"no such type: '{kind}'")
    if not match or not 1 <= int(match[2]) <= BYTES_MAX:
        raise MsgError(f"{kind} needs a size: NAME[MAX], MAX in 1..{BYTES_MAX}")
    return Field(kind, check_field_name(match[1]), size=int(match[2]))


def check_field_name(name):
    if check_name(name) in RESERVED:
        raise MsgError(f"'{name}' cannot name a field: it is a word of C or of the generated code")
    return name


def parse_service(words, text, path):
    if len(words) != 5 or words[3] != 'level' or text is None:
        raise MsgError('expected: service NAME NUMBER level L "what it is"')
    number, level = int(words[2], 0), int(words[4])
    if number & 0xff or not 0 < number <= 0xfe00:
        raise MsgError('a service number is a multiple of 0x100, at most 0xfe00')
    return Service(check_name(words[1]), number, level, text, path)


def parse_op(words, text, service):
    if len(words) != 3 or text is None:
        raise MsgError('expected: op NAME N "what it does"')
    op = Op(check_name(words[1]), int(words[2], 0), text)
    if not 1 <= op.number <= 255:
        raise MsgError('the number of an op is in 1..255')
    for other in service.ops:
        if other.number == op.number or other.name == op.name:
            raise MsgError(f"op '{op.name}' repeats the name or number of op '{other.name}'")
    return op


def add_line(op, words, errors):
    if words[0] in ('in', 'out'):
        field, where = parse_field(words[1:]), op.ins if words[0] == 'in' else op.outs
    elif words[0] == 'lend':
        if len(words) != 3 or words[1] not in ('in', 'out'):
            raise MsgError('expected: lend in|out NAME')
        field, where = Field('lend', check_field_name(words[2]), lend=words[1]), op.ins
    elif words[0] == 'fail':
        op.fails += [word.strip(',') for word in words[1:]]
        unknown = [name for name in op.fails if errors and name not in errors]
        if unknown:
            raise MsgError(f"errno.def has no {', '.join(unknown)}")
        return
    else:
        raise MsgError(f"unknown word '{words[0]}'")
    if any(other.name == field.name for other in op.ins + op.outs):
        raise MsgError(f"field '{field.name}' appears twice")
    where.append(field)


def check_room(fields):
    handles = [field for field in fields if field.kind == 'handle']
    if len(handles) > HANDLES_MAX:
        raise MsgError(f'more than {HANDLES_MAX} handles')
    if any(field.optional for field in handles[:-1]):
        raise MsgError('only the last handle of a direction can be optional')
    if sum(field.kind == 'lend' for field in fields) > 1:
        raise MsgError('only one Memory can be lent')
    scalars = sum(field.scalar for field in fields)
    room = 8 * max(0, scalars - WORDS_MAX) + sum(8 + (f.size + f.tail + 7) // 8 * 8 for f in fields if f.block)
    if room > BYTES_MAX:
        raise MsgError(f'its fields can need {room} inline bytes; {BYTES_MAX} is the most')


def parse(path, source, errors=()):
    service, op = None, None
    for number, line in enumerate(source.splitlines(), 1):
        try:
            code, quote, text = line.partition('"')
            text = text.rstrip()
            if quote and not text.endswith('"'):
                raise MsgError('the text lacks its closing quote')
            text = text[:-1] if quote else None
            words = code.split('#')[0].split()
            if not words:
                continue
            if words[0] == 'service' and service is None:
                service = parse_service(words, text, path)
            elif service is None:
                raise MsgError('the first line must be: service NAME NUMBER level L "what it is"')
            elif words[0] == 'op':
                op = parse_op(words, text, service)
                service.ops.append(op)
            elif op is None:
                raise MsgError(f"'{words[0]}' before any op")
            else:
                add_line(op, words, errors)
                check_room(op.ins), check_room(op.outs)
        except (MsgError, ValueError) as error:
            raise MsgError(f'{path}:{number}: {error}') from None
    if service is None or not service.ops:
        raise MsgError(f'{path}: no service with ops in it')
    return service


# --- writing: parts ----------------------------------------------------------------------------------------------------

def wire_order(fields):
    """The order of the fields in a message."""
    return ([f for f in fields if f.scalar] + [f for f in fields if f.block] +
            [f for f in fields if f.kind == 'handle'] + [f for f in fields if f.kind == 'lend'])


def member_lines(field, direction):
    if field.scalar:
        return [f'{SCALARS[field.kind][0]} {field.name};']
    if field.kind == 'string':
        return [f'const char *{field.name}; /* ended by 0 */', f'uint32_t {field.name}_length;']
    if field.kind == 'bytes':
        return [f'const void *{field.name};', f'uint32_t {field.name}_length;']
    if field.kind == 'handle':
        give = [f'bool {field.name}_give; /* the server closes its own handle once the answer is away */']
        return [f'handle_t {field.name};' + (' /* or HANDLE_NONE */' if field.optional else '')] + \
            (give if direction == 'out' else [])
    return [f'handle_t {field.name}_memory; /* sender only */', f'uint64_t {field.name}_offset; /* sender only */',
            f'uint64_t {field.name}_length;']


def struct_text(name, fields, direction):
    lines = [line for field in fields for line in member_lines(field, direction)] or ['uint8_t none;']
    return f'struct {name} {{\n' + ''.join(f'    {line}\n' for line in lines) + '};\n'


def encode_line(field):
    value = f'v->{field.name}'
    if field.scalar:
        return f'msg_put_word(&w, (uint64_t){value});'
    if field.block:
        return f'msg_put_block(&w, {value}, {value}_length, {field.size}, {field.tail});'
    if field.kind == 'handle':
        return (f'if ({value})\n        ' if field.optional else '') + f'msg_put_handle(&w, {value});'
    return f'msg_put_lent(&w, {value}_memory, {value}_offset, {value}_length, IPC_LEND_{field.lend.upper()});'


def decode_line(field):
    value = f'v->{field.name}'
    if field.scalar:
        ctype, limit = SCALARS[field.kind]
        return f'{value} = ({ctype})msg_get_word(&r, {limit});'
    if field.kind == 'string':
        return f'{value} = msg_get_string(&r, {field.size}, &{value}_length);'
    if field.kind == 'bytes':
        return f'{value} = msg_get_block(&r, {field.size}, 0, &{value}_length);'
    if field.kind == 'handle':
        return (f'if (r.handles < TAG_HANDLES(m->tag))\n        ' if field.optional else '') + \
            f'{value} = msg_get_handle(&r);'
    return f'{value}_length = msg_get_lent(&r, IPC_LEND_{field.lend.upper()});'


def body(lines):
    return ''.join(f'    {line}\n' for line in lines)


def encoder(name, fields, op_constant):
    op = op_constant or 'E_OK'
    return (f'static inline err_t {name}_encode(const struct {name} *v, struct msg *m)\n{{\n'
            f'    struct msg_writer w = {{.m = m}};\n' + body(['(void)v;'] if not fields else []) +
            body(encode_line(field) for field in wire_order(fields)) +
            f'    return msg_written(&w, {op});\n}}\n')


def decoder(name, fields):
    return (f'static inline err_t {name}_decode(const struct msg *m, struct {name} *v)\n{{\n'
            f'    struct msg_reader r = msg_reader(m);\n    *v = (struct {name}){{0}};\n' +
            body(decode_line(field) for field in wire_order(fields)) + '    return msg_read(&r);\n}\n')


# --- writing: the codec ------------------------------------------------------------------------------------------------

def banner(service, text):
    return f'/* Written by tools/msggen.py from {service.path}: change that. {text} */\n'


def constant(service, op):
    return f'{service.name}_op_{op.name}'.upper()


def codec_op(service, op):
    name = f'{service.name}_{op.name}'
    fails = f' Own errors: {", ".join(op.fails)}.' if op.fails else ''
    limits = [f'#define {name.upper()}_{f.name.upper()}_MAX {f.size}u\n' for f in op.ins + op.outs if f.block]
    return '\n'.join([
        f'/* {op.text}.{fails} */\n' + ''.join(limits) + struct_text(f'{name}_in', op.ins, 'in'),
        struct_text(f'{name}_out', op.outs, 'out'),
        encoder(f'{name}_in', op.ins, constant(service, op)), decoder(f'{name}_in', op.ins),
        encoder(f'{name}_out', op.outs, None), decoder(f'{name}_out', op.outs)])


def codec_header(service):
    numbers = ''.join(f'    {constant(service, op)} = {service.number + op.number:#06x},\n' for op in service.ops)
    upper = service.name.upper()
    return (banner(service, 'Pure encoders and decoders.') +
            f'#pragma once\n\n#include <base/msg.h>\n\n/* {service.text} */\n'
            f'#define {upper}_SERVICE {service.number:#06x}u\n#define {upper}_LEVEL {service.level}u\n\n'
            f'enum {service.name}_ops {{\n{numbers}}};\n\n' + '\n'.join(codec_op(service, op) for op in service.ops))


# --- writing: the client -----------------------------------------------------------------------------------------------

def in_parameters(field):
    if field.scalar:
        return [f'{SCALARS[field.kind][0]} {field.name}']
    if field.kind == 'string':
        return [f'const char *{field.name}']
    if field.kind == 'bytes':
        return [f'const void *{field.name}', f'uint32_t {field.name}_length']
    if field.kind == 'handle':
        return [f'handle_t {field.name}']
    return [f'handle_t {field.name}_memory', f'uint64_t {field.name}_offset', f'uint64_t {field.name}_length']


def out_parameters(field):
    if field.scalar:
        return [f'{SCALARS[field.kind][0]} *{field.name}_out']
    if field.kind == 'string':
        return [f'char *{field.name}_out']
    if field.kind == 'bytes':
        return [f'void *{field.name}_out', f'uint32_t {field.name}_room', f'uint32_t *{field.name}_length_out']
    return [f'handle_t *{field.name}_out']


def stub_signature(service, op):
    parameters = ['handle_t service', 'uint64_t deadline']
    for field in op.ins:
        parameters += in_parameters(field)
    for field in op.outs:
        parameters += out_parameters(field)
    return f'err_t {service.name}_{op.name}(' + ', '.join(parameters) + ')'


def in_initialisers(field):
    if field.kind == 'string':
        return [f'.{field.name} = {field.name}', f'.{field.name}_length = stub_length({field.name})']
    if field.kind == 'bytes':
        return [f'.{field.name} = {field.name}', f'.{field.name}_length = {field.name}_length']
    if field.kind == 'lend':
        return [f'.{field.name}_{part} = {field.name}_{part}' for part in ('memory', 'offset', 'length')]
    return [f'.{field.name} = {field.name}']


def out_line(field):
    name = field.name
    if field.kind == 'string':
        return [f'stub_take_string({name}_out, out.{name}, out.{name}_length);']
    if field.kind == 'bytes':
        return [f'stub_take_bytes({name}_out, {name}_length_out, out.{name}, out.{name}_length);']
    if field.kind == 'handle':
        return [f'stub_take_handle({name}_out, out.{name});']
    return [f'if ({name}_out)', f'    *{name}_out = out.{name};']


def stub(service, op):
    name = f'{service.name}_{op.name}'
    initial = ', '.join(part for field in op.ins for part in in_initialisers(field)) or '0'
    handles = [field.name for field in op.outs if field.kind == 'handle']
    rooms = [f'out.{f.name}_length > {f.name}_room' for f in op.outs if f.kind == 'bytes']
    lines = [f'struct {name}_in in = {{{initial}}};', f'struct {name}_out out;', 'struct msg m;']
    lines += [f'if ({field}_out)\n        *{field}_out = HANDLE_NONE;' for field in handles]
    lines += [f'err_t err = stub_begin(&m, {service.name.upper()}_LEVEL);',
              f'if (err == E_OK)\n        err = {name}_in_encode(&in, &m);',
              'if (err == E_OK)\n        err = stub_call(service, &m, deadline);',
              'if (err != E_OK)\n        return err;', f'err = {name}_out_decode(&m, &out);']
    if rooms:
        lines += [f'if (err == E_OK && ({" || ".join(rooms)}))\n        err = E_TOO_LONG;']
    lines += ['if (err != E_OK)\n        return stub_refuse(&m, err);']
    lines += [line for field in op.outs for line in out_line(field)]
    return f'{stub_signature(service, op)}\n{{\n{body(lines)}    return E_OK;\n}}\n'


def client_source(service):
    return (banner(service, 'Client stubs.') + f'#include <idl/{service.name}.h>\n#include <os/stub.h>\n\n' +
            '\n'.join(stub(service, op) for op in service.ops))


# --- writing: the server -----------------------------------------------------------------------------------------------

def dispatch_case(service, op):
    name = f'{service.name}_{op.name}'
    return (f'static err_t {name}_dispatch(const struct {service.name}_server *server, struct request *r)\n{{\n'
            f'    struct {name}_in in;\n    struct {name}_out out = {{0}};\n'
            f'    if (!server->{op.name})\n        return E_BAD_SYSCALL;\n'
            f'    err_t err = {name}_in_decode(&r->in, &in);\n    if (err == E_OK)\n'
            f'        err = server->{op.name}(r, &in, &out);\n'
            f'    if (err == REPLY_LATER)\n        return err;\n' +
            body(f'request_give(r, out.{f.name}_give ? out.{f.name} : HANDLE_NONE);' for f in op.outs
                 if f.kind == 'handle') +
            f'    return err == E_OK ? {name}_out_encode(&out, &r->answer) : err;\n}}\n')


def reply_signature(service, op):
    name = f'{service.name}_{op.name}'
    return f'err_t {name}_reply(handle_t reply, err_t err, const struct {name}_out *out)'


def reply_function(service, op):
    name = f'{service.name}_{op.name}'
    gives = body(f'if (out && out->{f.name}_give)\n        os_handle_close(out->{f.name});' for f in op.outs
                 if f.kind == 'handle')
    return (f'{reply_signature(service, op)}\n{{\n    static const struct {name}_out nothing;\n    struct msg m;\n'
            f'    reply_begin(&m);\n    if (err == E_OK)\n        err = {name}_out_encode(out ? out : &nothing, &m);\n'
            f'    err = reply_send(reply, err, &m);\n{gives}    return err;\n}}\n')


def server_source(service):
    name = service.name
    cases = ''.join(f'    case {constant(service, op)}:\n        return {name}_{op.name}_dispatch(server, r);\n'
                    for op in service.ops)
    return (banner(service, 'Dispatcher.') + f'#include <idl/{name}.h>\n#include <os/serve.h>\n#include <os/syscall.h>\n\n' +
            '\n'.join(dispatch_case(service, op) for op in service.ops) +
            f'\nerr_t {name}_dispatch(const void *handlers, struct request *r)\n{{\n'
            f'    const struct {name}_server *server = handlers;\n    switch (TAG_OP(r->in.tag)) {{\n{cases}'
            f'    default:\n        return E_BAD_SYSCALL;\n    }}\n}}\n\n' +
            '\n'.join(reply_function(service, op) for op in service.ops))


def service_header(service):
    name = service.name
    stubs = ''.join(f'/* {op.text} */\n{stub_signature(service, op)};\n' for op in service.ops)
    handlers = ''.join(f'    err_t (*{op.name})(struct request *r, const struct {name}_{op.name}_in *in, '
                       f'struct {name}_{op.name}_out *out);\n' for op in service.ops)
    return (banner(service, 'Stubs and server table.') +
            f'#pragma once\n\n#include <idl/{name}_codec.h>\n\nstruct request;\n\n'
            f'/* Client stubs. Strings are ended by 0; a string\'s *_out has room for its MAX and the 0; results not wanted may\n'
            f' * be NULL (unwanted handles are closed). */\n{stubs}\n'
            f'/* A server\'s handlers; see os/serve.h. What `in` points to is gone when the handler returns; handles in it are\n'
            f' * closed then unless taken with request_take. An op without handler answers E_BAD_SYSCALL. */\n'
            f'struct {name}_server {{\n{handlers}}};\n'
            f'err_t {name}_dispatch(const void *handlers, struct request *r);\n\n'
            f'/* An entry for struct server\'s table of services. */\n'
            f'#define {name.upper()}_SERVED_BY(handlers_) '
            f'{{{name.upper()}_SERVICE, {name}_dispatch, 1 ? (handlers_) : (const struct {name}_server *)0}}\n\n'
            f'/* Answers to requests whose handler returned REPLY_LATER. `out` may be NULL when err is not E_OK. The Reply handle\n'
            f' * is used up. */\n' + ''.join(f'{reply_signature(service, op)};\n' for op in service.ops))


def ops_table(services):
    return '/* Written by tools/msggen.py from abi/idl: IDL_OP(number, service, op, level) */\n' + ''.join(
        f'IDL_OP({service.number + op.number:#06x}, "{service.name}", "{op.name}", {service.level})\n'
        for service in services for op in service.ops)


# --- main --------------------------------------------------------------------------------------------------------------

def write_if_changed(path, text):
    """Keeps the time of files that stay the same, so that only what changed is compiled again."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path) and open(path, encoding='utf-8').read() == text:
        return
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def check_together(services):
    for index, service in enumerate(services):
        for other in services[:index]:
            if other.number == service.number or other.name == service.name:
                raise MsgError(f'{service.path}: same name or number as {other.path}')


def main(arguments):
    parser = argparse.ArgumentParser(description='from .msg files to C')
    parser.add_argument('-o', '--out', required=True, help='folder that gets idl/')
    parser.add_argument('--errors', help='errno.def, to check the names after fail')
    parser.add_argument('files', nargs='+')
    options = parser.parse_args(arguments)
    try:
        errors = re.findall(r'^ERROR\((\w+),', open(options.errors, encoding='utf-8').read(), re.M) if options.errors else ()
        services = [parse(path, open(path, encoding='utf-8').read(), errors) for path in sorted(options.files)]
        check_together(services)
    except (MsgError, OSError) as error:
        print(f'msggen: {error}', file=sys.stderr)
        return 1
    for service in services:
        base = os.path.join(options.out, 'idl', service.name)
        write_if_changed(base + '_codec.h', codec_header(service))
        write_if_changed(base + '.h', service_header(service))
        write_if_changed(base + '_client.c', client_source(service))
        write_if_changed(base + '_server.c', server_source(service))
    write_if_changed(os.path.join(options.out, 'idl', 'ops.def'), ops_table(services))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
