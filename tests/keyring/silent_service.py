"""Takes the name of the Secret Service on the D-Bus session and answers nothing, until it is killed."""

import sys

from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

connection = open_dbus_connection("SESSION")
bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
reply = connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", ("org.freedesktop.secrets", 4)))
assert reply.body == (1,), reply.body
print("ready", flush=True)  # noqa: T201
sys.stdin.read()
