/** The pinned builds of TensorFlow: what is fetched where the machine has none, known by size and hash. */
import { cannot } from '../errors.js';

export interface Build {
  package: string;
  version: string;
  /** Of the wheel. */
  size: number;
  sha256: string;
  /** pip's words for the wheel; which Python it was made for does not matter, as only its C++ libraries are used. */
  pip: { python: string; platforms: string[] };
}

const BUILDS: Record<string, Build> = {
  'linux-x64': {
    package: 'tensorflow-cpu',
    version: '2.18.1',
    size: 230_236_181,
    sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
    pip: { python: '3.11', platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'] },
  },
};

/** TensorFlow versions that the addon was built against and tried with. */
export const TRIED_VERSIONS = ['2.18.1', '2.21.0'];

/** The libraries as they are named in TensorFlow's wheel. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

/** The pinned build for a platform ("linux-x64"). Throws a BnTrainError where there is none. */
export function buildFor(platform: string): Build {
  const build = BUILDS[platform];
  if (!build)
    throw cannot('install TensorFlow', {
      expected: `one of the platforms ${Object.keys(BUILDS).join(', ')}`,
      got: platform,
      hint: "use --backend wasm, which runs everywhere, or name a folder with TensorFlow's libraries: --runtime-dir DIR",
    });
  return build;
}

export const thisPlatform = `${process.platform}-${process.arch}`;
