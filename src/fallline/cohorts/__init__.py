"""Cohorts trained as one program: hundreds of trainings for little more than the price of one."""

from fallline.cohorts.train import train_population as train_population
