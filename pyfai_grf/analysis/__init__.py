"""Between a reduced curve and a finished results file: prediction, model-free numbers, judgement, writing."""
