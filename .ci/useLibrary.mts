/** The installed package as a library: trains an epoch, and prints its figures as the command does. */
import { loadFashionMnist, openBackend, train } from 'bn-train';
import { compileStep } from 'bn-train/graph';
import { lenet } from 'bn-train/nn';

await openBackend('native');
const double = await compileStep((x) => [x.mul(2)], { inputs: [{ shape: [2], dtype: 'float32' }], variables: [] });
double.dispose();

const model = lenet({ norm: 'scratch', seed: 1 });
for await (const event of train({ model, data: await loadFashionMnist(), epochs: 1, seed: 1 })) {
  if (event.type !== 'epoch') continue;
  const [loss, trained, tested] = [event.loss, event.trainAccuracy, event.testAccuracy].map((value) =>
    value.toFixed(3),
  );
  console.log(`loss ${loss}, train acc ${trained}, test acc ${tested}`);
}
