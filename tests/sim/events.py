"""The events of containers, as they come; a wait is for an event, not for time."""
import http.client
import json
import threading

from harness import UnixConnection


class Events:
    def __init__(self, s):
        self.connection = UnixConnection(s.socket)
        self.connection.request("GET", '/events?filters={"type":["container"]}')
        self.answer = self.connection.getresponse()
        self.sock = self.connection.sock or self.answer.fp.raw._sock
        self.seen, self.news = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while line := self.answer.readline():
                with self.news:
                    self.seen.append(json.loads(line))
                    self.news.notify_all()
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass

    def actions(self, name):
        return [e["Action"] for e in self.seen if e["Actor"]["Attributes"]["name"] == name]

    def until(self, name, action, times=1, seconds=60):
        def there():
            return sum(a.startswith(action) for a in self.actions(name)) >= times
        with self.news:
            if not self.news.wait_for(there, seconds):
                raise AssertionError(f"{action} of {name} did not come {times} times: {self.actions(name)}")
