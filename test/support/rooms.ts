/** The layout of src: which room stands on which floor, what each may import, and what breaks these rules. */
import * as path from 'node:path';
import ts from 'typescript';

interface Room {
  /** Rooms on lower floors; the common one goes without saying. */
  rooms?: string[];
  /** "node" for Node's own modules, "tfjs" for TensorFlow.js, else a package by its name. */
  outside?: string[];
}

type Floor = Record<string, Room>;

/** From the ground up. */
export const FLOORS: Floor[] = [
  { common: { outside: ['node', 'valibot'] } },
  {
    nn: { outside: ['tfjs'] },
    data: { outside: ['node', 'jpeg-js', 'pngjs', 'pure-rand', 'undici', 'valibot'] },
    runtime: { outside: ['node', 'tfjs', 'valibot', 'node-api-headers'] },
    graph: { outside: ['node', 'tfjs'] },
  },
  { train: { rooms: ['nn', 'data', 'graph'], outside: ['tfjs'] } },
  {
    run: { rooms: ['nn', 'train'], outside: ['node', 'tfjs', 'valibot'] },
    verify: { rooms: ['nn', 'graph', 'train'], outside: ['tfjs'] },
    bench: { rooms: ['nn', 'data', 'graph', 'train'], outside: ['node', 'tfjs', 'valibot'] },
  },
  {
    study: {
      rooms: ['nn', 'data', 'graph', 'train', 'run', 'bench'],
      outside: ['node', 'tfjs', 'valibot', 'pure-rand'],
    },
    export: { rooms: ['nn', 'data', 'graph', 'train', 'run', 'bench'], outside: ['node', 'tfjs'] },
  },
  {
    report: {
      rooms: ['train', 'run', 'verify', 'bench', 'study', 'export'],
      outside: ['node', 'cli-progress', 'echarts'],
    },
  },
  {
    cli: {
      rooms: ['nn', 'data', 'runtime', 'graph', 'train', 'export', 'run', 'verify', 'bench', 'study', 'report'],
      outside: ['node', 'tfjs', 'commander'],
    },
    index: { rooms: ['nn', 'data', 'runtime', 'graph', 'train'] },
  },
];
/** Planned rooms that may still be empty. */
const TO_COME = ['study'];
/** The one file that loads the native addon. */
const LOADER = 'src/runtime/loadAddon.ts';

/** The room of "src/nn/lenet.ts" is "nn"; a file at the root is a room of its own, of which the table has index alone. */
function roomOf(file: string): string {
  const [, first = '', second] = file.split('/');
  return second === undefined ? path.basename(first, '.ts') : first;
}

/** "src/nn/lenet.ts" for a relative import; "node", "tfjs" or the package for one from outside. */
function targetOf(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.join(path.dirname(file), specifier.replace(/\.js$/, '.ts'));
  if (specifier.startsWith('node:')) return 'node';
  return specifier.startsWith('@tensorflow/tfjs') ? 'tfjs' : (specifier.split('/')[0] ?? '');
}

type Imports = Map<string, string[]>;

/** From each file to what it imports, types included. */
function importsOf(sources: ReadonlyMap<string, string>): Imports {
  const targets = (file: string, text: string) =>
    ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => targetOf(file, fileName));
  return new Map([...sources].map(([file, text]) => [file, targets(file, text)]));
}

/** Whether Node is behind a file, however far: what a browser could not load. */
function needsNode(file: string, imports: Imports, seen = new Set<string>()): boolean {
  if (file === 'node') return true;
  if (seen.has(file)) return false;
  seen.add(file);
  return (imports.get(file) ?? []).some((to) => needsNode(to, imports, seen));
}

/** Rooms that the table itself has wrong, or that it and src do not share. */
function tableFaults(floors: Floor[], present: ReadonlySet<string>): string[] {
  const below = (floor: number) => floors.slice(0, floor).flatMap((rooms) => Object.keys(rooms));
  const named = below(floors.length);
  return [
    ...[...present].filter((room) => !named.includes(room)).map((room) => `${room} is not in the table of rooms`),
    ...named
      .filter((room) => !present.has(room) && !TO_COME.includes(room))
      .map((room) => `${room} is in the table of rooms and not in src`),
    ...floors.flatMap((floor, i) =>
      Object.entries(floor).flatMap(([room, { rooms = [] }]) =>
        rooms.filter((to) => !below(i).includes(to)).map((to) => `${room} does not stand above ${to}`),
      ),
    ),
  ];
}

function importFaults(floors: Floor[], file: string, imports: Imports): string[] {
  const room = roomOf(file);
  const { rooms = [], outside = [] } = floors.find((floor) => room in floor)?.[room] ?? {};
  const allowed = (to: string) => {
    if (!to.startsWith('src/')) return outside.includes(to);
    if (roomOf(to) === 'common') return outside.includes('node') || room === 'index' || !needsNode(to, imports);
    return roomOf(to) === room || rooms.includes(roomOf(to));
  };
  return (imports.get(file) ?? []).filter((to) => !allowed(to)).map((to) => `${file} may not import ${to}`);
}

function cycleFaults(imports: Imports): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    if (trail.includes(file)) faults.push(`a cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    done.add(file);
    for (const to of imports.get(file) ?? []) visit(to, [...trail, file]);
  };
  for (const file of imports.keys()) visit(file, []);
  return faults;
}

function nameFaults(files: string[]): string[] {
  return files.flatMap((file, i) => {
    const name = path.basename(file);
    const other = files.slice(0, i).find((earlier) => path.basename(earlier) === name && name !== 'index.ts');
    return other === undefined ? [] : [`${name} stands twice: ${other}, ${file}`];
  });
}

/**
 * Whether a file opens with one sentence on its job: a comment of its own, before a blank line, an import or a re-export,
 * so that it belongs to no function.
 */
function opensWell(text: string): boolean {
  const comment = /^\/\*\*((?:(?!\*\/)[^])*)\*\/\n(?=\n|import |export (?:type )?[{*])/.exec(text)?.[1] ?? '';
  const words = comment.replaceAll(/\n \*/g, ' ').trim();
  return /^[\p{Lu}`]\S*(\s+\S+){2,}\.$/u.test(words) && !/(?<!\bal)[.!?]\s/.test(words) && !/\s@\w/.test(words);
}

/** Every breach of the rules, in words; `sources` are the files of src by their path from the root. */
export function breaches(sources: ReadonlyMap<string, string>, floors = FLOORS): string[] {
  const files = [...sources.keys()];
  const imports = importsOf(sources);
  return [
    ...tableFaults(floors, new Set(files.map(roomOf))),
    ...files.flatMap((file) => importFaults(floors, file, imports)),
    ...cycleFaults(imports),
    ...nameFaults(files),
    ...[...sources].flatMap(([file, text]) => [
      ...(opensWell(text) ? [] : [`${file} does not open with one sentence on its job`]),
      ...(text.includes('@tensorflow/tfjs-node') && file !== LOADER ? [`${file} names the addon's package`] : []),
    ]),
  ];
}
