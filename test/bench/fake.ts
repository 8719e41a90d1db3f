/** A program that speaks the protocol and trains nothing. */

export const FAKE_HELLO = {
  program: 'fake',
  versions: {},
  threads: 1,
  contestants: ['scratch/eager', 'none/eager'],
};
export const FAKE_TURN = { steps: 1, examples: 256, seconds: 0.01, loss: 2.3, accuracy: 0.1, peakMemory: 5e7 };

const script = `
const versions = { arguments: process.argv.slice(1).join(" ") };
console.log(JSON.stringify({ ...${JSON.stringify(FAKE_HELLO)}, versions }));
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const steps = Number(line.split(" ")[2]);
  console.log(JSON.stringify({ ...${JSON.stringify(FAKE_TURN)}, steps }));
});`;

/** Its command line for a shell; its first line gives its arguments as a version. */
export const fakePeer = `'${process.execPath}' -e '${script}' --`;
