/** Preloaded, has a program run on the TensorFlow.js in the folder OTHER_TFJS instead of its own. */
import Module, { register } from 'node:module';
import { pathToFileURL } from 'node:url';

const folder = process.env['OTHER_TFJS'];
const inside = `${folder}/index.js`;
const MEANT = '^@tensorflow/tfjs(-core|-layers|-data|-converter|-backend-cpu)?(/|$)';

const resolve = Module._resolveFilename;
Module._resolveFilename = (request, parent, ...rest) => {
  const isMeant = new RegExp(MEANT).test(request) && !parent?.filename?.startsWith(folder);
  const from = isMeant ? { ...parent, filename: inside, paths: [`${folder}/node_modules`] } : parent;
  return resolve(request, from, ...rest);
};
const hooks = `export const resolve = (name, context, next) =>
  next(name, new RegExp(${JSON.stringify(MEANT)}).test(name) ? { ...context, parentURL: ${JSON.stringify(pathToFileURL(inside).href)} } : context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
