/** Folders in, one page out: of a run, of several, or of a study, whatever they hold. */
import * as path from 'node:path';
import { cannot, EXIT } from '../../common/errors.js';
import { exists } from '../../common/files.js';
import { packageVersion } from '../../common/machine.js';
import { readComparison } from '../../study/comparison.js';
import { comparePage } from './comparePage.js';
import { documentOf, type Page } from './document.js';
import { liveScript } from './liveScript.js';
import { markup } from './markup.js';
import { runPage } from './runPage.js';
import { readRunRecord } from './runRecord.js';
import { type Language, TEXTS, type Texts } from './texts/index.js';

/** The whole file; the same for the same folders. Throws a BnTrainError for what holds neither, or is damaged. */
export async function pageOf(folders: string[], language: Language): Promise<string> {
  const texts = TEXTS[language];
  const script = await liveScript();
  const studies = await studiesAmong(folders);
  const [only] = studies;
  if (only !== undefined) {
    const [{ readStudy }, { studyPage }] = await Promise.all([
      import('../../study/savedStudy.js'),
      import('./study/studyPage.js'),
    ]);
    const { study, records } = await readStudy(only);
    return studyPage(study, records, texts, script);
  }
  const page = await contentOf(folders, texts);
  const foot = markup`<p>${texts.page.madeBy(packageVersion())}</p>`;
  return documentOf({ ...page, foot, script });
}

/** None, or the only folder there is. */
async function studiesAmong(folders: string[]): Promise<string[]> {
  const are = await Promise.all(folders.map((folder) => exists(path.join(folder, 'study.json'))));
  if (are.includes(true) && folders.length > 1)
    throw cannot('make a page', {
      expected: 'one study, or runs alone',
      got: `${folders.length} folders with a study among them`,
      hint: 'name the study by itself',
      exitCode: EXIT.usage,
    });
  return folders.filter((_, i) => are[i]);
}

async function contentOf(folders: string[], texts: Texts): Promise<Omit<Page, 'script' | 'foot'>> {
  const [first = ''] = folders;
  const runs = (await Promise.all(folders.map(runsOf))).flat();
  const [only, ...others] = runs;
  if (only !== undefined && others.length === 0) return runPage(await readRunRecord(only), texts);
  if (runs.length === 0)
    throw cannot(`make a page of ${first}`, { expected: 'at least one finished run', got: 'none' });
  return comparePage(await Promise.all(runs.map(readRunRecord)), texts);
}

/** A comparison has its runs beside it; any other folder is a run's, or is refused when it is read. */
async function runsOf(folder: string): Promise<string[]> {
  if (!(await exists(path.join(folder, 'comparison.json')))) return [folder];
  const { runs } = await readComparison(folder);
  return runs.filter(({ final }) => final).map((run) => path.join(folder, run.folder));
}
