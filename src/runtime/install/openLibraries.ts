/** Run by itself, with libraries' paths: opens each as a program would, and prints a line on each, "opened" or why not. */

const NO_ADDON = /^Module did not self-register/;

for (const file of process.argv.slice(2)) console.log(verdictOn(file));

/** Node opens a library by the system's loader first, and only then misses what makes an addon of it. */
function verdictOn(file: string): string {
  try {
    process.dlopen({ exports: {} }, file);
    return 'opened';
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return NO_ADDON.test(message) ? 'opened' : message.replaceAll('\n', ' ');
  }
}
