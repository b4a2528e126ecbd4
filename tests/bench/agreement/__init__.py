"""Does each network's INT8 file answer as its fake-quantised network does?"""
