"""NNCF on an ONNX file, in an environment that has it: `peer_nncf.py FLOAT CALIBRATION OUTPUT`."""

import sys

import nncf
import numpy as np
import onnx

source, calibration, output = sys.argv[1:]
model = onnx.load(source)
name = model.graph.input[0].name
images = np.load(calibration)
dataset = nncf.Dataset([{name: image[np.newaxis]} for image in images])
onnx.save(nncf.quantize(model, dataset, subset_size=len(images)), output)
