/** All words of the pages, in each language. */
import { page as pageEn } from './page.en.js';
import { page as pageZh } from './page.zh.js';
import { run as runEn } from './run.en.js';
import { run as runZh } from './run.zh.js';
import { study as studyEn } from './study.en.js';
import { study as studyZh } from './study.zh.js';

const en = { page: pageEn, run: runEn, study: studyEn };
export type Texts = typeof en;

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

export const TEXTS: Record<Language, Texts> = { en, zh: { page: pageZh, run: runZh, study: studyZh } };
