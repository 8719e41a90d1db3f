/**
 * Loaded into a process before its program (node --import): kills the process with SIGKILL at its KILL_AT-th moment of
 * changing files below KILL_BELOW. Each change has a moment before and one after it, and writing content one in its
 * middle, when half of it is written; with KILL_KIND=half only these count.
 */
import { Buffer } from 'node:buffer';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const promises = fs.promises;
const below = process.env.KILL_BELOW;
const halfOnly = process.env.KILL_KIND === 'half';
let left = Number(process.env.KILL_AT);

function moment(isHalf = false) {
  if (halfOnly && !isHalf) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

/** Gives a function of node:fs/promises a moment before and one after it. */
function around(name) {
  const original = promises[name];
  promises[name] = async (...args) => {
    if (!String(args[0]).includes(below)) return original(...args);
    moment();
    const result = await original(...args);
    moment();
    return result;
  };
}

function halves(content) {
  const bytes = Buffer.from(content);
  const middle = Math.ceil(bytes.length / 2);
  return [bytes.subarray(0, middle), bytes.subarray(middle)];
}

for (const name of ['mkdir', 'rename', 'link', 'rm', 'writeFile']) around(name);

const { appendFile, open } = promises;
promises.appendFile = async (file, content, ...rest) => {
  if (!String(file).includes(below)) return appendFile(file, content, ...rest);
  moment();
  const [first, second] = halves(content);
  moment();
  await appendFile(file, first, ...rest);
  moment(true);
  await appendFile(file, second, ...rest);
  moment();
};

promises.open = async (file, ...rest) => {
  const handle = await open(file, ...rest);
  if (!String(file).includes(below)) return handle;
  moment();
  const { writeFile, sync } = handle;
  handle.writeFile = async (content) => {
    const [first, second] = halves(content);
    await writeFile.call(handle, first);
    moment(true);
    await writeFile.call(handle, second);
    moment();
  };
  handle.sync = async () => {
    await sync.call(handle);
    moment();
  };
  return handle;
};

syncBuiltinESMExports();
