"""The stand-in of the AIM engine: serves AIMService objects on a cluster without the real operator."""
