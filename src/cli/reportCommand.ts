/** `bn-train report`: runs, a comparison or a study as one page, made from their folders alone. */
import * as path from 'node:path';
import { Command, Option } from 'commander';
import type { Language } from '../report/page/texts/index.js';
import { addFolder, parser, type SessionFlags } from './options.js';
import { type Session, withSession } from './session.js';

interface ReportFlags extends SessionFlags {
  open?: boolean;
  lang: Language;
  output?: string;
}

const file = parser("a file's name", (text) => (text === '' ? undefined : text));

export function reportCommand(): Command {
  return new Command('report')
    .description('show runs, a comparison or a study as one page, an HTML file that needs no network')
    .argument('[folders...]', 'of runs, a comparison or a study (default: the newest run in ./runs)', addFolder)
    .option('--open', 'open it in the browser')
    .addOption(new Option('--lang <language>', 'of its texts').choices(['en', 'zh']).default('en'))
    .option('--output <file>', 'write it here (default: report.html in the folder, or here for several)', file)
    .action((folders: string[] = [], flags: ReportFlags) =>
      withSession(flags, (session) => report(folders, flags, session)),
    );
}

async function report(named: string[], { open, lang, output }: ReportFlags, { terminal }: Session): Promise<void> {
  const [{ pageOf }, { newestRun }, { describeFileError, writeFileAtomic }, { cannot }] = await Promise.all([
    import('../report/page/writePage.js'),
    import('../run/folder.js'),
    import('../common/files.js'),
    import('../common/errors.js'),
  ]);
  const folders = named.length > 0 ? named : [await newestRun()];
  const [first = '', ...others] = folders;
  const target = output ?? path.join(others.length > 0 ? '' : first, 'report.html');
  const page = await pageOf(folders, lang);
  await writeFileAtomic(target, page).catch((error: unknown) => {
    throw cannot(`write ${target}`, {
      expected: 'room and permission',
      got: describeFileError(error),
      hint: 'name another file with --output',
      cause: error,
    });
  });
  terminal.print(target);
  if (open === true && !(await isOpened(target)))
    terminal.notice(`nothing here opens pages; open ${path.resolve(target)}`);
}

/** Whether a browser was asked, and took it. */
async function isOpened(target: string): Promise<boolean> {
  const { spawn } = await import('node:child_process');
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  return new Promise((resolve) => {
    const child = spawn(opener, [path.resolve(target)], { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}
