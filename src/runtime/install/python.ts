/** What Python is asked for: the unpacking of wheels, and a TensorFlow that is there already. */
import { cannot } from '../../common/errors.js';
import { FREE_SPACE, firstMissing, LIBRARIES, type Want } from './builds.js';
import { type CommandOptions, lastLine, type Outcome, runCommand } from '../../common/command.js';
import { isCudaBuild } from './cuda.js';
import { VERSIONS } from './pins.js';

/** Runs a Python script; undefined where there is no python3. */
export function runPython(script: string, args: string[], options: CommandOptions = {}): Promise<Outcome | undefined> {
  // Python looks in the working directory first, where a stray json.py would be run for Python's own.
  const safe = 'import os, sys; sys.path[:] = [at for at in sys.path if at not in ("", os.getcwd())]';
  return runCommand('python3', ['-c', `${safe}\n${script}`, ...args], options);
}

interface PythonTensorflow {
  version: string;
  libraries: string;
}

/** A TensorFlow of a tried version, with libraries and headers, in the Python environment at hand. TensorFlow is not imported. */
export async function findPythonTensorflow({ device, tensorflow }: Want): Promise<PythonTensorflow | undefined> {
  const script = `
import importlib.metadata as m, json
for name in ("tensorflow", "tensorflow-cpu"):
    try: d = m.distribution(name)
    except m.PackageNotFoundError: continue
    print(json.dumps({"version": d.version, "libraries": str(d.locate_file("tensorflow"))}))`;
  const outcome = await runPython(script, []);
  for (const found of (outcome?.stdout ?? '').split('\n').map(parseFound)) {
    if (!found || !VERSIONS.includes(found.version) || (tensorflow ?? found.version) !== found.version) continue;
    if (await firstMissing(found.libraries)) continue;
    if (device === 'cpu' || (await isCudaBuild(found.libraries))) return found;
  }
  return undefined;
}

/** Undefined for a line of something else: start-up files may print too. */
function parseFound(line: string): PythonTensorflow | undefined {
  try {
    const found = JSON.parse(line) as Partial<PythonTensorflow> | null;
    const whole = typeof found?.version === 'string' && typeof found.libraries === 'string';
    return whole ? (found as PythonTensorflow) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Unpacks into `folder` what the addon needs of a wheel: TensorFlow's two libraries and headers; NVIDIA's libraries,
 * the two files of its compiler that XLA uses, and the licence, whose folder tells the version.
 */
export async function unpackWheel(wheel: string, folder: string, signal?: AbortSignal): Promise<void> {
  const script = `
import re, zipfile
wheel, folder = sys.argv[1:]
wanted = re.compile(r"""tensorflow/(${LIBRARIES.map((name) => name.replaceAll('.', '\\.')).join('|')})$
    |tensorflow/include/(tensorflow/c|tensorflow/core/platform|tsl|xla/tsl)/
    |nvidia/\\w+/lib/[^/]+\\.so
    |nvidia/cuda_nvcc/(bin/ptxas$|nvvm/libdevice/)
    |nvidia_\\w+-[\\w.]+\\.dist-info/(License|METADATA)""", re.X)
with zipfile.ZipFile(wheel) as z:
    names = [n for n in z.namelist() if wanted.match(n)]
    z.extractall(folder, names)
    # zipfile forgets that it is a program.
    if "nvidia/cuda_nvcc/bin/ptxas" in names: os.chmod(os.path.join(folder, "nvidia/cuda_nvcc/bin/ptxas"), 0o755)`;
  const outcome = await runPython(script, [wheel, folder], { signal });
  if (outcome?.code === 0) return;
  const said = outcome?.stderr ?? '';
  throw cannot('unpack TensorFlow', {
    expected: 'a zip file, and room for what is in it',
    got: /No space left/.test(said) ? 'no space left on the device' : lastLine(said),
    hint: FREE_SPACE,
  });
}
