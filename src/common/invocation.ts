/** The program's own commands as they are to be typed, which is as it was started, so that a hint can be copied. */
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

interface Start {
  /** What Node was told to run. */
  program: string;
  /** This package's. */
  file: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

const NAME = 'bn-train';
const FILE = `/bin/${NAME}.js`;

/** "setup --cuda" as "npm start -- setup --cuda", where npm start is what was typed. */
export function toType(command: string): string {
  const { env, argv } = process;
  const start = { program: argv[1] ?? '', file: fileURLToPath(import.meta.url), env, cwd: process.cwd() };
  return `${startedAs(start)} ${command}`;
}

/** What stands before a command: "bn-train" where it is installed, and nothing is known that would be better. */
export function startedAs({ program, file, env, cwd }: Start): string {
  const isInProject = (name: string) => name.includes('/node_modules/');
  const isLink = path.basename(program) === NAME;
  // As a library: what a project depends on, npx finds there.
  if (!isLink && !program.endsWith(FILE)) return isInProject(file) ? `npx ${NAME}` : NAME;
  // A command that is installed for all is a link, too, but stands among others.
  if (isLink) return path.basename(path.dirname(program)) === '.bin' ? `npx ${NAME}` : NAME;
  // npm tells every process below it; a script of the same name may be another package's.
  if (env['npm_lifecycle_event'] === 'start' && env['npm_package_name'] === NAME) return 'npm start --';
  const below = path.relative(cwd, program);
  if (isInProject(program)) return below.startsWith('node_modules/') ? `npx ${NAME}` : NAME;
  const typed = below.startsWith('../') ? program : below.includes('/') ? below : `./${below}`;
  return /^[\w./@+-]+$/.test(typed) ? typed : quoted(typed);
}

/** A name as one word of a shell's, whatever is in it. */
export function quoted(name: string): string {
  return `'${name.replaceAll("'", `'\\''`)}'`;
}
