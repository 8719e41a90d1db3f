"""Runs a program in the foreground of a pseudo-terminal of its own, as a shell with job control does, and plays its user.

Reads JSON from the first argument: {"command", "columns", "steps": [{"until": regex, "type" | "signal" | "hangup" | "continue" | "resize"}]}.
Prints JSON: what the terminal was sent, how the program ended, how long after the last step, and whether the terminal's
settings are those from before.
"""
import json, os, pty, re, select, signal, struct, sys, termios, time, fcntl

ask = json.loads(sys.argv[1])
report_read, report_write = os.pipe()
order_read, order_write = os.pipe()

shell, terminal = pty.fork()
if shell == 0:
    # The shell: leader of the terminal's session, with the program as its job.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, ask.get("columns", 80), 0, 0))
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        for number in (signal.SIGTTOU, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(ask["command"][0], ask["command"])
    # A shell whose window is closed tells its jobs, and when it ends the system tells them again.
    signal.signal(signal.SIGHUP, lambda *_: [os.killpg(job, signal.SIGHUP) for _ in range(2)])
    os.write(report_write, b"job %d\n" % job)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.tcsetpgrp(0, os.getpgrp())
        os.write(1, b"\n[1]+  Stopped\n$ ")
        os.write(report_write, b"stopped\n")
        os.read(order_read, 1)
        os.write(1, b"fg\n")
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    ended = "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "code %d" % os.WEXITSTATUS(status)
    os.write(report_write, (ended + "\n").encode())
    # The terminal is looked at before its session goes.
    os.read(order_read, 1)
    os._exit(0)

before = termios.tcgetattr(terminal)
output, reports, steps = b"", b"", list(ask["steps"])
acted = time.monotonic()
deadline = acted + ask.get("seconds", 100)
ended, job, took = None, None, None
open_terminal = True
seen = 0
while ended is None and time.monotonic() < deadline:
    ready, _, _ = select.select([report_read] + ([terminal] if open_terminal else []), [], [], 0.05)
    if report_read in ready:
        reports += os.read(report_read, 4096)
        job = int(re.search(rb"job (\d+)", reports).group(1))
        found = re.search(rb"^(code|signal) (\d+)$", reports, re.M)
        if found:
            ended, took = {found.group(1).decode(): int(found.group(2))}, time.monotonic() - acted
    if open_terminal and terminal in ready:
        output += os.read(terminal, 65536)
    while steps and job and ended is None:
        step = steps[0]
        text = output if step["until"] != "stopped" else reports
        found = re.compile(step["until"].encode(), re.M).search(text, seen if text is output else 0)
        if not found:
            break
        steps.pop(0)
        seen = found.end() if text is output else seen
        time.sleep(step.get("after", 0))
        acted = time.monotonic()
        if "type" in step: os.write(terminal, step["type"].encode())
        if "signal" in step: os.kill(job, getattr(signal, step["signal"]))
        if "resize" in step: fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, step["resize"], 0, 0))
        if "continue" in step: os.write(order_write, b"c")
        if "hangup" in step:
            os.close(terminal)
            open_terminal = False
while open_terminal and select.select([terminal], [], [], 0.1)[0]:
    output += os.read(terminal, 65536)
same = termios.tcgetattr(terminal) == before if open_terminal else None
if ended is None:
    os.killpg(job, signal.SIGKILL)
os.write(order_write, b"e")
print(json.dumps({"output": output.decode("utf-8", "replace"), "ended": ended, "seconds": took, "left": steps, "same": same}))
