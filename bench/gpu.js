/** What gpu.sh has Node do: gpu.js WORK OUT DEVICE finished|under-way writes the report, gpu.js WORK data says where the data set is. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { dataFolder, gpuReport } from '../dist/bench/gpuReport.js';
import { readRecording } from '../dist/bench/recorded.js';
import { criterionLines, speedLines } from '../dist/report/speedTable.js';
import { writeFileAtomic } from '../dist/common/files.js';

const [work, out, device, state] = process.argv.slice(2);
const recording = await readRecording(work);
if (out === 'data') {
  console.log(dataFolder(recording));
} else {
  const samples = await readFile(path.join(work, 'samples'), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const report = gpuReport({ recording, samples, device, finished: state === 'finished' });
  await writeFileAtomic(out, `${JSON.stringify(report, null, 2)}\n`);
  if (report.finished) {
    const { bench, criteria, errors } = report;
    const failed = errors.map(({ step, code, said }) => `failed: ${step} (exit status ${code})\n${said}`);
    console.log([...speedLines(bench?.speeds ?? []), '', ...criterionLines(criteria), ...failed, out].join('\n'));
    if (errors.length > 0) process.exitCode = 1;
  }
}
