/** The program's own commands and options as they are to be typed, which is as it was started, so that a hint can be copied. */

interface Start {
  /** What Node was told to run. */
  program: string;
  /** A file or address in this package. */
  own: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

const NAME = 'bn-train';
const FILE = `/bin/${NAME}.js`;

const baseOf = (file: string) => file.slice(file.lastIndexOf('/') + 1);
const isCommandLine = (program: string) => baseOf(program) === NAME || program.endsWith(FILE);

/** "setup --cuda" as "npm start -- setup --cuda", where npm start is what was typed. */
export function toType(command: string): string {
  const { env, argv } = process;
  return `${startedAs({ program: argv[1] ?? '', own: import.meta.url, env, cwd: process.cwd() })} ${command}`;
}

/** An option by its name in the library, or on the command line by its flag. */
export function option(name: string, program = process.argv[1] ?? ''): string {
  const words = name === 'learningRate' ? 'lr' : name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return isCommandLine(program) ? `--${words}` : name;
}

/** What stands before a command: "bn-train" where it is installed, and nothing is known that would be better. */
export function startedAs({ program, own, env, cwd }: Start): string {
  const isInstalled = (name: string) => name.includes('/node_modules/');
  // As a library: what a project depends on, npx finds there.
  if (!isCommandLine(program)) return isInstalled(own) ? `npx ${NAME}` : NAME;
  // A command that is installed for all is a link, too, but stands among others.
  if (baseOf(program) === NAME) return program.endsWith(`/.bin/${NAME}`) ? `npx ${NAME}` : NAME;
  // npm tells every process below it; a script of the same name may be another package's.
  if (env['npm_lifecycle_event'] === 'start' && env['npm_package_name'] === NAME) return 'npm start --';
  const below = program.startsWith(`${cwd}/`) ? program.slice(cwd.length + 1) : undefined;
  if (isInstalled(program)) return below?.startsWith('node_modules/') ? `npx ${NAME}` : NAME;
  const typed = below === undefined || below.includes('/') ? (below ?? program) : `./${below}`;
  return /^[\w./@+-]+$/.test(typed) ? typed : quoted(typed);
}

/** A name as one word of a shell's, whatever is in it. */
export function quoted(name: string): string {
  return `'${name.replaceAll("'", `'\\''`)}'`;
}
