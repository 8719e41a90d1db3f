/** What gpu.sh has Node do: main.js WORK OUT DEVICE finished|under-way writes the report, main.js WORK data says where the data set is. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../dist/common/files.js';
import { speedLines } from '../../dist/report/speedTable.js';
import { criterionLines } from './criteria.js';
import { readRecording } from './recorded.js';
import { dataFolder, gpuReport } from './report.js';

const [work = '', out = '', device = '', state] = process.argv.slice(2);
const recording = await readRecording(work);
if (out === 'data') {
  console.log(dataFolder(recording));
} else {
  const samples = await readFile(path.join(work, 'samples'), 'utf8');
  const report = gpuReport({ recording, samples, device, finished: state === 'finished' });
  await writeFileAtomic(out, `${JSON.stringify(report, null, 2)}\n`);
  if (report.finished) {
    const { bench, criteria, errors } = report;
    const failed = errors.map(({ step, code, said }) => `failed: ${step} (exit status ${code})\n${said}`);
    console.log([...speedLines(bench?.speeds ?? []), '', ...criterionLines(criteria), ...failed, out].join('\n'));
    if (errors.length > 0) process.exitCode = 1;
  }
}
