"""QEMU's machine protocol over a connection that QEMU opened to us."""
import asyncio
import json


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Qmp:
    def __init__(self, reader, writer, on_event):
        self.reader, self.writer, self.on_event = reader, writer, on_event
        self.waiting, self.serial = {}, 0

    async def run(self):
        """Reads until QEMU closes the connection."""
        try:
            await self.reader.readline()  # the greeting
            self.writer.write(b'{"execute": "qmp_capabilities"}\n')
            while line := await self.reader.readline():
                message = json.loads(line)
                if "event" in message:
                    self.on_event(message["event"], message.get("data") or {})
                elif message.get("id") in self.waiting:
                    self.waiting.pop(message["id"]).set_result(message)
        except (ConnectionError, ValueError):
            pass
        finally:
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(QmpError("the machine is gone"))
            self.waiting.clear()
            self.writer.close()

    async def command(self, name, **arguments):
        self.serial += 1
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.serial] = future
        self.writer.write(json.dumps({"execute": name, "arguments": arguments, "id": self.serial}).encode() + b"\n")
        message = await future
        if "error" in message:
            raise QmpError(f"QEMU refused {name}: {message['error'].get('desc')}")
        return message["return"]
