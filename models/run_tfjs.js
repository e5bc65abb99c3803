// node run_tfjs.js LIBRARY MODEL WEIGHTS IMAGE SIDE RESULT NODE...
// Runs a TensorFlow.js graph in plain JavaScript on the file of an RGB image (SIDE, SIDE, 3) of
// bytes; writes the values of the nodes as float32, one after the other, to the file RESULT.
"use strict";
const fs = require("fs");
const [library, modelFile, weightsFile, imageFile, side, resultFile, ...nodes] = process.argv.slice(2);
const tf = require(library);

async function main() {
  await tf.setBackend("cpu");
  const { modelTopology, weightsManifest, signature } = JSON.parse(fs.readFileSync(modelFile));
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = new Uint8Array(fs.readFileSync(weightsFile)).buffer;
  const artifacts = { modelTopology, signature, weightSpecs, weightData };
  const model = await tf.loadGraphModel({ load: async () => artifacts });
  const pixels = Int32Array.from(fs.readFileSync(imageFile));
  const input = tf.tensor4d(pixels, [1, Number(side), Number(side), 3], "int32");
  for (const value of model.execute({ [model.inputs[0].name]: input }, nodes)) {
    fs.appendFileSync(resultFile, Buffer.from(Float32Array.from(value.dataSync()).buffer));
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
