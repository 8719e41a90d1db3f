/** Writes the pages of docs/api from the comments of what package.json exports: `node scripts/api.js [FOLDER]`. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { Application, Comment, Converter, ReflectionKind } from 'typedoc';

const root = path.resolve(import.meta.dirname, '..');
const { name, exports: entries } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const sourceOf = ({ types }) => path.join(root, types.replace('./dist/', 'src/').replace('.d.ts', '.ts'));
const openingOf = (file) => /^\/\*\* (.*) \*\/$/m.exec(readFileSync(file, 'utf8'))[1];
/** TypeDoc's name for it: "graph" for src/graph/index.ts, "index" for src/index.ts. */
const titleOf = (file) => path.relative(path.join(root, 'src'), file).replace(/(\/index)?\.ts$/, '');
/** The entry that has a name of its own first: what another one exports again is a link to it. */
const modules = Object.entries(entries)
  .filter(([, entry]) => typeof entry === 'object')
  .map(([entry, files]) => ({ name: path.join(name, entry), source: sourceOf(files) }))
  .map((module) => ({ ...module, opening: openingOf(module.source), title: titleOf(module.source) }))
  .reverse();

const app = await Application.bootstrapWithPlugins({
  plugin: ['typedoc-plugin-markdown'],
  outputs: [{ name: 'markdown', path: path.resolve(process.argv[2] ?? path.join(root, 'docs/api')) }],
  entryPoints: modules.map(({ source }) => source),
  tsconfig: path.join(root, 'tsconfig.json'),
  name,
  readme: 'none',
  excludeExternals: true,
  excludePrivate: true,
  disableSources: true,
  // The build has looked for errors.
  skipErrorChecking: true,
  // What a caller need not name; the page shows it by its name alone.
  intentionallyNotExported: ['Backend', 'ExitCode', 'MODES', 'NORMS', 'Patience', 'Reason', 'Rule', 'Typed'],
  outputFileStrategy: 'modules',
  entryFileName: 'README',
  modulesFileName: 'README',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
});

app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  for (const module of project.children) {
    const { name, opening } = modules.find(({ title }) => title === module.name);
    module.name = name;
    module.comment = new Comment([{ kind: 'text', text: opening }]);
    // TypeDoc takes a file's opening for the comment of all that its first statement exports.
    for (const child of module.children)
      if (Comment.combineDisplayParts(child.comment?.summary) === opening) delete child.comment;
  }
  // What a function takes apart has no name.
  for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter))
    if (parameter.name === '__namedParameters') parameter.name = 'options';
});

const project = await app.convert();
if (!project) process.exit(1);
app.validate(project);
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
