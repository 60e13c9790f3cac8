// Asks a server by @grpc/grpc-js with descriptors of the official protos: node ask.js TARGET DESCRIPTOR_SET.
const fs = require("fs");
const { createRequire } = require("module");
const load = createRequire(__filename);
const grpc = load("@grpc/grpc-js");
const loader = load("@grpc/proto-loader");

const [target, descriptors] = process.argv.slice(2);
const definition = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptors), { keepCase: true, longs: String });
const { PredictionService } = grpc.loadPackageDefinition(definition).tensorflow.serving;
const client = new PredictionService(target, grpc.credentials.createInsecure());
const column = (values) => ({ dtype: "DT_FLOAT", tensor_shape: { dim: [{ size: values.length }] }, float_val: values });
const request = (model) => ({
  model_spec: { name: model },
  // A map of a descriptor set is a list of entries, as on the wire.
  inputs: [{ key: "x0", value: column([1, 2]) }, { key: "x1", value: column([0.5, -1]) }],
});
const deadline = () => ({ deadline: Date.now() + 20000 });

client.Predict(request("demo"), deadline(), (error, answer) => {
  if (error) throw error;
  const { tensor_content, float_val } = answer.outputs.find(({ key }) => key === "prediction").value;
  const values = tensor_content && tensor_content.length
    ? [0, 1].map((i) => tensor_content.readFloatLE(4 * i))
    : float_val;
  client.Predict(request("missing"), deadline(), (refused) => {
    console.log(JSON.stringify({ values, version: answer.model_spec.version.value, code: refused.code }));
    client.close();
  });
});
