/** Small wheels that look like NVIDIA's, a build of them, and a package index that has them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { type Build, buildFor, thisPlatform, type Wheel } from '../../src/runtime/install/pins.js';
import { type Member, zip } from '../support/archives.js';
import { type Reply, type Server, startServer } from '../support/server.js';

/** A library that opens; `needs` names one that it cannot do without. */
export function library(folder: string, needs?: string): Buffer {
  const file = path.join(folder, 'library.so');
  const link = needs === undefined ? [] : ['-Wl,--no-as-needed', path.join(folder, needs)];
  const compile = (output: string, more: string[]) =>
    execFileSync('cc', ['-x', 'c', '-', '-x', 'none', '-shared', '-fPIC', '-o', output, ...more], { input: '' });
  if (needs !== undefined) compile(path.join(folder, needs), [`-Wl,-soname,${needs}`]);
  compile(file, link);
  return readFileSync(file);
}

/** What the wheels have, by package and then by path below `nvidia/<package>`. */
type Contents = Record<string, Record<string, string | Uint8Array>>;

export function nvidiaContents(opens: Uint8Array): Contents {
  const libraries = (...names: string[]) => Object.fromEntries(names.map((name) => [`lib/${name}`, opens]));
  return {
    cublas: libraries('libcublas.so.12', 'libcublasLt.so.12'),
    cuda_cupti: libraries('libcupti.so.12'),
    cuda_nvcc: { 'bin/ptxas': '#!/bin/sh\nexit 0\n', 'nvvm/libdevice/libdevice.10.bc': 'bitcode' },
    cuda_nvrtc: libraries('libnvrtc.so.12'),
    cuda_runtime: libraries('libcudart.so.12'),
    cudnn: libraries('libcudnn.so.9'),
    cufft: libraries('libcufft.so.11'),
    cusolver: libraries('libcusolver.so.11'),
    cusparse: libraries('libcusparse.so.12'),
    nvjitlink: libraries('libnvJitLink.so.12'),
  };
}

interface Packed {
  wheel: Wheel;
  file: string;
}

/** Writes a wheel. */
export function pack(folder: string, name: string, version: string, members: Member[]): Packed {
  const stem = `${name.replaceAll('-', '_')}-${version}`;
  const file = path.join(folder, `${stem}-py3-none-manylinux2014_x86_64.whl`);
  const tag = 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2014_x86_64\n';
  const metadata = [
    { name: `${stem}.dist-info/METADATA`, content: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n` },
    { name: `${stem}.dist-info/WHEEL`, content: tag },
    { name: `${stem}.dist-info/RECORD`, content: '' },
  ];
  writeFileSync(file, zip([...members, ...metadata]));
  return { wheel: pinsOf(file, name, version), file };
}

/** The facts that pin a file. */
export function pinsOf(file: string, name: string, version: string): Wheel {
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  return { name, version, size: statSync(file).size, sha256 };
}

export function packNvidia(folder: string, contents: Contents): Packed[] {
  return Object.entries(contents).map(([part, files]) => {
    const members = Object.entries(files).map(([name, content]) => ({ name: `nvidia/${part}/${name}`, content }));
    return pack(folder, `nvidia-${part.replaceAll('_', '-')}-cu12`, '12.5.0', members);
  });
}

/** A build for CUDA out of these wheels, TensorFlow's first. */
export function buildOf(packed: Packed[]): Build {
  const wheels = packed.map(({ wheel }) => wheel);
  return { ...buildFor(thisPlatform()), device: 'cuda', wheels };
}

/** An index with these files; `reply` may answer for one of them. */
export function startCudaIndex(packed: Packed[], reply: (name: string) => Reply | undefined): Promise<Server> {
  return startServer(({ path: asked }) => {
    const name = path.basename(asked);
    const files = packed.map(({ file }) => path.basename(file));
    if (files.includes(name)) return reply(name) ?? { file: packed[files.indexOf(name)]?.file ?? '' };
    const links = files.filter((file) => file.toLowerCase().startsWith(`${name.replaceAll('-', '_')}-`));
    if (links.length === 0) return { status: 404 };
    const body = links.map((file) => `<a href="/files/${file}">${file}</a>`).join('');
    return { headers: { 'content-type': 'text/html' }, body };
  });
}
